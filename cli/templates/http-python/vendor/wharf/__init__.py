"""What a function sees of Wharf: requests and responses, values, secrets, a client and the log."""

from . import log
from .client import fetch
from .environment import Secret, env, secret
from .message import Headers, Request, Response

__all__ = ["Headers", "Request", "Response", "Secret", "env", "fetch", "log", "secret"]
