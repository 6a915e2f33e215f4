# SPDX-License-Identifier: MIT
"""What the servers' own checks of a configuration tell of it: directives and files."""
import unittest

from cases import CHAIN, ModuleTest


def marked(value):
    return {"middleware": [{"use": "set_headers", "options": {"set": {"X-Mark": value}}}]}


class ConfigurationTest(unittest.TestCase):
    def configure(self, chain=CHAIN, locations=None, **options):
        server = ModuleTest.Server(chain, locations, **options)
        code, text = server.test()
        server.stop()
        return code, text

    def refuse(self, *arguments, **options):
        code, text = self.configure(*arguments, **options)
        self.assertNotEqual(code, 0)
        return text


class Directives(ConfigurationTest):
    def test_a_good_configuration(self):
        code, text = self.configure()
        self.assertEqual(code, 0, text)

    def test_mistakes_are_told_with_file_line_and_path(self):
        text = self.refuse('{"middleware": [\n {"use": "cors",\n  "options": {"max_ages": 1}},\n'
                           ' {"use": "corse"}]}')
        self.assertRegex(text, r"chain\.json:3:\d+: middleware\[0\]\.options\.max_ages: unknown")
        self.assertRegex(text, r"chain\.json:4:\d+: middleware\[1\]\.use: .*corse")
        self.assertRegex(text, ModuleTest.Server.file.replace(".", r"\.") + r":\d+\)")

    def test_text_that_is_no_json(self):
        self.assertRegex(self.refuse("{"), r"chain\.json:1:")

    def test_a_file_that_is_not_there(self):
        self.assertIn("none.json", self.refuse(http=ModuleTest.Server.chain_of("none.json")))

    def test_a_broken_rule_of_order(self):
        text = self.refuse({"middleware": [
            {"use": "require", "priority": 1, "options": {}}]})
        self.assertIn("require", text)

    def test_a_mistake_in_a_places_file(self):
        text = self.refuse(locations={"place": '{"middleware": [{"use": "corse"}]}'})
        self.assertIn("place.json:1", text)

    def test_engine_limits_of_a_place_are_refused(self):
        text = self.refuse(locations={"place": {"engine": {"header_count": 5}, "middleware": []}})
        self.assertIn("engine", text)

    def test_a_plan_that_looks_at_bodies(self):
        code, text = self.configure({"middleware": [{"use": "body_reader"}]})
        self.assertEqual(code, 0, text)

    def test_twice(self):
        one = ModuleTest.Server.chain_of("chain.json")
        self.assertRegex(self.refuse(http=one + "\n" + one), "twice|duplicate")

    def test_a_plugin_that_is_none(self):
        self.assertIn("none.so", self.refuse(http=ModuleTest.Server.plugin_of("/none.so")))
