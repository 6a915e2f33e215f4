# SPDX-License-Identifier: MIT
"""Plans of a server and of places in it, whatever a server calls them: for a ModuleTest."""
from cases import PROBE
from cases_configuration import marked
from client import Client
from servers import free_port


def chain_of(mark):
    return {"middleware": [PROBE] + marked(mark)["middleware"] +
            [{"use": "security_headers"}, {"use": "request_id"}]}


PLACES = {"place": {"middleware": [
    {"use": "set_headers", "options": {"append": {"X-Place": "yes"}}},
    {"use": "basic_auth", "options": {"realm": "r", "users": {"u": "p"}},
     "when": {"paths": ["/place/secret"]}}]},
          "other": {"middleware": [
              {"use": "set_headers", "options": {"append": {"X-Place": "other"}}}]}}


class PlaceTests:
    """Two more servers listen: the second has a plan of its own, the third is off."""

    mark = None                       # of the outermost plan
    target, bodies = "/", (b"", b"")  # of the second and the third server

    @classmethod
    def take_ports(cls):
        cls.second, cls.third = free_port(), free_port()

    def ask_port(self, port, target=None):
        with Client(port) as client:
            return client.ask("GET", target or self.target)

    def test_a_servers_file_takes_the_place_of_the_one_around_it(self):
        self.assertEqual(self.ask("GET", "/text").get("X-Mark"), [self.mark])
        response = self.ask_port(self.second)
        self.assertEqual((response.body, response.get("X-Mark")), (self.bodies[0], ["second"]))

    def test_off(self):
        response = self.ask_port(self.third)
        self.assertEqual((response.body, response.get("X-Mark")), (self.bodies[1], []))

    def test_a_place_adds(self):
        response = self.ask("GET", "/place/x")
        self.assertEqual((response.body, response.get("X-Mark"), response.get("X-Place")),
                         (b"place\n", [self.mark], ["yes"]))
        self.assertEqual(self.ask("GET", "/text").get("X-Place"), [])

    def test_a_place_guards(self):
        response = self.ask("GET", "/place/secret")
        self.assertEqual((response.status, response.get("X-Mark")), (401, [self.mark]))

    def test_after_a_redirect_inside(self):
        self.assertEqual(self.ask("GET", "/inner-place").get("X-Place"), ["yes"])

    def test_nested_places(self):
        self.assertEqual(self.ask("GET", "/nested/deeper/").get("X-Place"), ["yes"])
        self.assertEqual(self.ask("GET", "/nested/off/").get("X-Place"), [])
