import unittest

from app import handle
from wharf.test import Host


class App(unittest.TestCase):
    def test_it_greets_as_the_environment_says(self):
        host = Host(env={"GREETING": "good day"})
        self.assertEqual(host.call(handle, "/").text, "good day, world\n")
        self.assertEqual(host.call(handle, "/hello/Ada").json(), {"greeting": "good day, Ada"})

    def test_elsewhere_is_nothing(self):
        self.assertEqual(Host().call(handle, "/nowhere").status, 404)
