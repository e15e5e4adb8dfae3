"""Answers requests: `GET /`, `GET /hello/NAME` and `GET /health`."""

from wharf import Request, Response, env, log


async def handle(request: Request) -> Response:
    if request.method != "GET":
        return Response.of_text("method not allowed\n", status=405, headers={"allow": "GET"})
    match request.path.split("/")[1:]:
        case [""]:
            return Response.of_text(f"{greeting()}, world\n")
        case ["health"]:
            return Response.of_text("ok\n")
        case ["hello", name] if name:
            log.info("greeted", name=name)
            return Response.of_json({"greeting": f"{greeting()}, {name}"})
    return Response.of_text("not found\n", status=404)


def greeting() -> str:
    """As `env` in wharf.toml says."""
    return env("GREETING") or "hello"
