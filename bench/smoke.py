# SPDX-License-Identifier: MIT
"""Every row of cmw-bench runs, and its JSON can be read. What it measures is not looked at."""
import json
import pathlib
import subprocess
import sys
import tempfile

KEYS = {"name", "ns", "instructions", "floor_ns", "floor_instructions", "ratio", "value", "unit",
        "target", "met"}
NAMES = ["life_empty", "noop_3", "noop_8", "noop_16", "noop_3_both", "headers_12_const",
         "headers_12_beside", "headers_12_iovec", "headers_12_set", "lookup_5_ids",
         "lookup_5_raw", "arena_26", "conditions_10", "conditions_10000",
         "conditions_10000_in_1000", "condition_bytes", "bearer", "basic_auth",
         "cors", "cors_pattern", "cors_preflight", "security_headers", "security_https",
         "request_id", "request_id_hex", "access_log", "trusted_proxy_direct", "trusted_proxy_2",
         "ip_filter_10000", "host_allow_1000",
         "structured_dictionary_5",
         "trace_context", "trace_context_state",
         "cookies_1", "cookies_11",
         "conditional", "csrf",
         "content_negotiation", "content_type", "cache_control", "vary",
         "rate_limit_hot", "rate_limit_zipf",
         "redirect_10", "rewrite_10", "skip", "server_timing", "mirror_1_percent",
         "concurrency_limit", "load_shed", "circuit_breaker", "date_server", "timeout",
         "response_cache_hit", "idempotency_first", "idempotency_replay", "static_files_1k",
         "gzip_16k", "stack_3",
         "stack_7", "resume", "resume_wakes", "suspended_bytes", "threads_2",
         "allocs", "rss", "context_bytes", "response_cache_flood", "idempotency_flood"]

# What this build leaves out.
NAMES = [name for name in NAMES if name not in sys.argv[2:]]

with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / "rows.json"
    picture = pathlib.Path(folder) / "ratios.svg"
    subprocess.run([sys.argv[1], "--quick", "--no-callgrind", "--json", path, "--plot", picture],
                   check=True)
    rows = json.loads(path.read_text())
    assert picture.read_text().endswith("</svg>\n")

assert [row["name"] for row in rows] == NAMES, rows
for row in rows:
    assert set(row) == KEYS, row
    assert row["ns"] is not None or row["value"] is not None, row
    assert row["instructions"] is None, row
allocs = next(row for row in rows if row["name"] == "allocs")
assert allocs["value"] == 0, allocs
