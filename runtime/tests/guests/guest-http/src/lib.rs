//! An HTTP guest (`wasi:http/proxy`) whose behaviour is chosen by the request's path.
//!
//! | path | behaviour |
//! |---|---|
//! | `/ok` | 200, `ok` |
//! | `/status?code=` | answers that status |
//! | `/request` | the request as the guest sees it, JSON |
//! | `/env`, `/args` | all of the environment, the arguments, JSON |
//! | `/log?lines=N&len=L&stream=out\|err` | prints N lines of L bytes |
//! | `/count` | how many requests this instance has seen |
//! | `/clock`, `/random?n=N` | wall and monotonic clock; N random bytes, in hex up to 32 |
//! | `/echo`, `/body-length` | streams the body back; reads it all and answers its length |
//! | `/big?mib=N` | streams N MiB |
//! | `/sleep?ms=N` | waits, then answers |
//! | `/after-response?ms=N` | answers in full, waits, then logs `after the response` |
//! | `/never-end` | head and one chunk, then waits for ever |
//! | `/spin`, `/spin-after-head` | loops for ever, before or after the head |
//! | `/trap`, `/unreachable`, `/trap-after-head` | panics; executes `unreachable`; panics after the head |
//! | `/trap-if?env=NAME` | panics if the environment has the variable, after a line that says so |
//! | `/exit` | `std::process::exit(3)` inside the request |
//! | `/no-response` | returns without a response |
//! | `/short-body` | declares 100 bytes and sends 5 |
//! | `/grow?mib=N` | allocates N MiB, touches them, says how far it came (200 or 500) |
//! | `/grow-or-die?mib=N` | the same, but a failed allocation aborts |
//! | `/hold?mib=N&ms=M` | allocates N MiB, holds them for M ms, answers like `/grow` |
//! | `/handles?n=N` | makes N resources and keeps them |
//! | `/headers?n=N&len=L` | a response with N headers of L bytes |
//! | `/read?path=`, `/list?path=`, `/write?path=` | a file, a directory, an attempt to write |
//! | `/fetch?url=U&n=N` | N requests at once to U (default 1); one line each: status or error code |
//! | `/hostile/…` | what a well-meaning guest never does, see the module |
mod files;
mod hostile;
mod http;
mod limits;
mod outgoing;
mod plain;
mod stream;

use http::{Query, Reply};
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

struct Guest;

wasip2::http::proxy::export!(Guest);

impl wasip2::exports::http::incoming_handler::Guest for Guest {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        plain::count_request();
        let target = request.path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let query = Query::parse(query);
        let reply = Reply::new(out);
        match path {
            "/ok" => reply.text(200, "ok"),
            "/status" => reply.text(query.number("code") as u16, "as you wish"),
            "/request" => plain::request(&request, reply),
            "/env" => plain::environment(reply),
            "/args" => plain::arguments(reply),
            "/log" => plain::log(&query, reply),
            "/count" => plain::count(reply),
            "/clock" => plain::clock(reply),
            "/random" => plain::random(&query, reply),
            "/hostile/methods" => hostile::methods(&query, reply),
            "/hostile/parts" => hostile::parts(&query, reply),
            "/hostile/fields" => hostile::fields(&query, reply),
            "/hostile/large-write" => hostile::large_write(reply),
            "/hostile/error-code" => hostile::error_code(&query, reply),
            "/hostile/work-after-sized" => hostile::work_after_sized(&query, reply),
            "/hostile/work-after-empty" => hostile::work_after_empty(&query, reply),
            "/hostile/work-after-trailers" => hostile::work_after_trailers(&query, reply),
            "/hostile/flood-then-trap" => hostile::flood_then_trap(),
            "/echo" => stream::echo(&request, reply),
            "/body-length" => stream::body_length(&request, reply),
            "/big" => stream::big(&query, reply),
            "/sleep" => stream::sleep(&query, reply),
            "/after-response" => stream::after_response(&query, reply),
            "/never-end" => stream::never_end(reply),
            "/spin" => limits::spin(),
            "/spin-after-head" => limits::spin_after_head(reply),
            "/trap" => limits::trap_on_purpose(),
            "/trap-if" => limits::trap_if(&query, reply),
            "/unreachable" => limits::unreachable_on_purpose(),
            "/trap-after-head" => limits::trap_after_head(reply),
            "/exit" => std::process::exit(3),
            "/no-response" => drop(reply),
            "/short-body" => limits::short_body(reply),
            "/grow" => limits::grow(&query, reply),
            "/grow-or-die" => limits::grow_or_die(&query, reply),
            "/hold" => limits::hold(&query, reply),
            "/handles" => limits::handles(&query, reply),
            "/headers" => limits::headers(&query, reply),
            "/read" => files::read(&query, reply),
            "/list" => files::list(&query, reply),
            "/write" => files::write(&query, reply),
            "/hold-files" => files::hold(&query, reply),
            "/fetch" => outgoing::fetch(&query, reply),
            _ => reply.text(404, "no such behaviour"),
        }
    }
}
