"""What a project in Python has of Wharf, natively: copied into one beside its own test."""

import unittest

from wharf import Request, Response, env, fetch, log, secret
from wharf.test import Host


def answering(run):
    async def handle(request):
        return await run(request) or Response()

    return handle


class Layer(unittest.TestCase):
    def test_there_is_what_the_host_gives_while_it_answers(self):
        seen = []

        async def run(_):
            seen.extend([env("A"), env("PATH"), secret("KEY").expose()])

        host = Host(env={"A": "b"}, secrets={"KEY": "hunter2"})
        self.assertEqual((host.call(answering(run), "/").status, host.log), (200, []))
        self.assertEqual(seen, ["b", None, "hunter2"])
        with self.assertRaisesRegex(RuntimeError, "while a request is answered"):
            env("A")

    def test_a_secret_does_not_print(self):
        async def run(_):
            key = secret("KEY")
            log.info("used", key=key)
            return Response.of_text(f"{key} {key!r} {[key]}")

        host = Host(secrets={"KEY": "hunter2"})
        shown = host.call(answering(run), "/").text + str(host.log)
        self.assertNotIn("hunter2", shown)
        self.assertEqual(shown.count("Secret(redacted)"), 4)

    def test_what_goes_wrong_is_in_the_log_and_the_client_learns_no_more(self):
        async def run(_):
            secret("KEY")

        host = Host()
        answer = host.call(answering(run), "/", headers={"X-Request-Id": "r1"})
        self.assertEqual((answer.status, answer.text), (500, "internal error\n"))
        (line,) = host.log
        self.assertEqual((line["level"], line["requestId"]), ("error", "r1"))
        self.assertIn("secrets = { KEY = ", line["message"])
        self.assertIn("test_wharf.py", line["message"])

        async def text(_):
            return "text"

        self.assertEqual(host.call(text, "/").status, 500)
        self.assertIn("has to return a Response", host.log[1]["message"])

    def test_lines_have_the_requests_ids_and_are_as_many_as_log_level_says(self):
        async def run(_):
            for write in (log.error, log.warn, log.info, log.debug, log.trace):
                write("x")

        for level, expected in {"": "error warn info", "trace": "error warn info debug trace", "off": ""}.items():
            host = Host(env={"LOG_LEVEL": level})
            parent = "00-6b0266a29af24fb7be55993b51f072b6-c0d439b133e6df65-01"
            host.call(answering(run), "/", headers={"traceparent": parent})
            self.assertEqual(" ".join(line["level"] for line in host.log), expected)
            self.assertTrue(all(line["traceId"] == parent[3:35] for line in host.log))

    def test_whatever_is_logged_is_a_line(self):
        async def run(_):
            log.info("odd", error=ValueError("no"), text="\udcff\n")
            round_ = {}
            round_["round"] = round_
            log.info("round", round=round_)

        host = Host()
        host.call(answering(run), "/")
        self.assertEqual(host.log[0]["fields"]["error"], "ValueError('no')")
        self.assertIn("round", host.log[1]["fields"])

    def test_what_is_fetched_is_answered_by_who_stands_for_it_and_nobody_else(self):
        def api(request):
            return Response.of_json({"method": request.method, "q": request.query, "body": request.json()})

        async def run(_):
            answer = await fetch("https://api.example.com/x?a=b%20c", method="post", body="[1]")
            try:
                await fetch("https://elsewhere.example.com")
            except ConnectionError as error:
                return Response.of_text(f"{answer.text} {error}", headers={"x-type": answer.headers.get("Content-Type")})

        host = Host(upstreams={"https://api.example.com": api})
        answer = host.call(answering(run), "/")
        self.assertIn('{"method": "POST", "q": {"a": "b c"}, "body": [1]}', answer.text)
        self.assertIn("no upstream for https://elsewhere.example.com", answer.text)
        self.assertEqual(answer.headers.get("x-type"), "application/json")
        self.assertEqual([request.url for request in host.sent], ["https://api.example.com/x?a=b%20c"])

    def test_a_request_is_read_as_it_was_sent(self):
        request = Request("http://a/b%20c/?x=1&x=2&y", method="put", headers=[("A", "1"), ("a", "2")], body="ü")
        self.assertEqual((request.path, request.query, request.method), ("/b c/", {"x": "2", "y": ""}, "PUT"))
        self.assertEqual((request.headers.get("A"), list(request.headers)), ("1", [("a", "1"), ("a", "2")]))
        self.assertEqual((request.text, request.body), ("ü", "ü".encode()))
