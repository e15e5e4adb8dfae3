//! The keys of `[[route]]`, `[[target_group]]` and `[[listener]]`.

use super::{Key, Shape, elsewhere, key};

const SERVICES_OWN: &str =
    "a file with [task] is a service's or a job's: `wharf deploy` and `wharf run` take it";

/// What `wharf apply` takes.
pub(in super::super) const APPLY: &[Key] = &[
    key(
        "listener",
        Shape::TableList(LISTENER),
        "tables, each [[listener]]",
    ),
    key(
        "target_group",
        Shape::TableList(TARGET_GROUP),
        "tables, each [[target_group]]",
    ),
    key("route", Shape::TableList(ROUTE), "tables, each [[route]]"),
    elsewhere("name", SERVICES_OWN),
    elsewhere("task", SERVICES_OWN),
    elsewhere("service", SERVICES_OWN),
    elsewhere("health", SERVICES_OWN),
    elsewhere("job", SERVICES_OWN),
];

pub(super) const ROUTE: &[Key] = &[
    key("name", Shape::Text, "\"shop\""),
    key("listener", Shape::TextList, "[\"http\"]"),
    key("priority", Shape::Integer, "10"),
    key("host", Shape::TextList, "[\"api.example.com\"]"),
    key("host_regex", Shape::TextList, "['^[a-z]+\\.example\\.com$']"),
    key("path", Shape::TextList, "[\"/v1/*\"]"),
    key("path_regex", Shape::TextList, "['^/u/[0-9]+$']"),
    key("method", Shape::TextList, "[\"GET\"]"),
    key("header", Shape::TextListMap, "{ x-canary = [\"1\"] }"),
    key("header_regex", Shape::TextListMap, "{ x-id = ['^[a-f0-9]{8}$'] }"),
    key(
        "query",
        Shape::TableList(QUERY),
        "[{ key = \"v\", value = \"2\" }]",
    ),
    key(
        "query_all",
        Shape::TableList(QUERY),
        "[{ key = \"v\", value = \"2\" }]",
    ),
    key("source_ip", Shape::TextList, "[\"10.0.0.0/8\"]"),
    key(
        "forward",
        Shape::TableList(FORWARD),
        "[{ service = \"api\", weight = 90 }]",
    ),
    key("stickiness", Shape::Text, "\"1h\""),
    key(
        "redirect",
        Shape::Table(REDIRECT),
        "{ status = 301, protocol = \"HTTPS\" }",
    ),
    key(
        "fixed",
        Shape::Table(FIXED),
        "{ status = 503, body = \"back at noon\" }",
    ),
    key(
        "rewrite",
        Shape::Table(REWRITE),
        "{ path = { regex = \"^/v1/(.*)\", replace = \"/$1\" } }",
    ),
    key(
        "request_headers",
        Shape::Table(EDITS),
        "{ set = { x-tier = \"gold\" } }",
    ),
    key(
        "response_headers",
        Shape::Table(EDITS),
        "{ remove = [\"server\"] }",
    ),
    key("timeout", Shape::Text, "\"30s\""),
    key("body_limit", Shape::Text, "\"10MiB\""),
];

const QUERY: &[Key] = &[
    key("key", Shape::Text, "\"v\""),
    key("value", Shape::Text, "\"2\""),
];

const FORWARD: &[Key] = &[
    key("service", Shape::Text, "\"api\""),
    key("target_group", Shape::Text, "\"legacy\""),
    key("weight", Shape::Integer, "90"),
];

const REDIRECT: &[Key] = &[
    key("status", Shape::Integer, "301"),
    key("protocol", Shape::Text, "\"HTTPS\""),
    key("host", Shape::Text, "\"#{host}\""),
    key("port", Shape::Text, "\"443\""),
    key("path", Shape::Text, "\"/#{path}\""),
    key("query", Shape::Text, "\"#{query}\""),
];

const FIXED: &[Key] = &[
    key("status", Shape::Integer, "503"),
    key("content_type", Shape::Text, "\"text/plain\""),
    key("body", Shape::Text, "\"back at noon\""),
];

const REWRITE: &[Key] = &[
    key(
        "host",
        Shape::Table(REPLACE),
        "{ regex = \"^old\\\\.\", replace = \"new.\" }",
    ),
    key(
        "path",
        Shape::Table(REPLACE),
        "{ regex = \"^/v1/(.*)\", replace = \"/$1\" }",
    ),
];

const REPLACE: &[Key] = &[
    key("regex", Shape::Text, "\"^/v1/(.*)\""),
    key("replace", Shape::Text, "\"/$1\""),
];

const EDITS: &[Key] = &[
    key("set", Shape::TextMap, "{ x-tier = \"gold\" }"),
    key("add", Shape::TextMap, "{ x-tier = \"gold\" }"),
    key("remove", Shape::TextList, "[\"server\"]"),
];

pub(super) const TARGET_GROUP: &[Key] = &[
    key("name", Shape::Text, "\"legacy\""),
    key(
        "targets",
        Shape::TextsOrTables(TARGET),
        "[\"http://127.0.0.1:9000\"]",
    ),
    key("version", Shape::Text, "\"http1\""),
    key("algorithm", Shape::Text, "\"round_robin\""),
    key("slow_start", Shape::Text, "\"30s\""),
    key("stickiness", Shape::Text, "\"24h\""),
    key("fail_open", Shape::Boolean, "true"),
    key("deregistration_delay", Shape::Text, "\"300s\""),
    key("connect_timeout", Shape::Text, "\"10s\""),
    key("tls_timeout", Shape::Text, "\"10s\""),
    key("idle_timeout", Shape::Text, "\"60s\""),
    key("keep_alive", Shape::Text, "\"60s\""),
    key("connections", Shape::Integer, "10000"),
    key("response_head", Shape::Text, "\"32KiB\""),
    key("verify_certificates", Shape::Boolean, "true"),
    key("authorities", Shape::Text, "\"-----BEGIN CERTIFICATE-----…\""),
    key("server_name", Shape::Text, "\"api.internal\""),
    key("health", Shape::Table(TARGET_HEALTH), "{ path = \"/health\" }"),
    key("retry", Shape::Table(RETRY), "{ per_request = 2 }"),
];

const TARGET: &[Key] = &[
    key("url", Shape::Text, "\"http://127.0.0.1:9000\""),
    key("weight", Shape::Integer, "3"),
];

const TARGET_HEALTH: &[Key] = &[
    key("enabled", Shape::Boolean, "true"),
    key("path", Shape::Text, "\"/health\""),
    key("port", Shape::Integer, "9001"),
    key("interval", Shape::Text, "\"30s\""),
    key("timeout", Shape::Text, "\"5s\""),
    key("healthy", Shape::Integer, "5"),
    key("unhealthy", Shape::Integer, "2"),
    key("codes", Shape::Text, "\"200\""),
];

const RETRY: &[Key] = &[
    key("per_request", Shape::Integer, "2"),
    key("percent", Shape::Integer, "20"),
    key("per_second", Shape::Integer, "10"),
];

const LISTENER: &[Key] = &[
    key("name", Shape::Text, "\"https\""),
    key("protocol", Shape::Text, "\"HTTPS\""),
    key("address", Shape::Text, "\"0.0.0.0:443\""),
    key(
        "certificates",
        Shape::TableList(CERTIFICATE),
        "[{ cert = \"/etc/tls/fullchain.pem\", key = \"/etc/tls/key.pem\" }]",
    ),
    key("tls", Shape::Text, "\"1.2\""),
    key("default", Shape::Table(DEFAULT), "{ fixed = { status = 404 } }"),
    key("idle_timeout", Shape::Text, "\"60s\""),
    key("keep_alive", Shape::Text, "\"1h\""),
    key("header_timeout", Shape::Text, "\"30s\""),
    key("body_timeout", Shape::Text, "\"30s\""),
    key("write_timeout", Shape::Text, "\"60s\""),
    key("tls_timeout", Shape::Text, "\"10s\""),
    key("request_line", Shape::Text, "\"16KiB\""),
    key("header_line", Shape::Text, "\"16KiB\""),
    key("header_block", Shape::Text, "\"64KiB\""),
    key("header_lines", Shape::Integer, "100"),
    key("request_body", Shape::Text, "\"100MiB\""),
    key("connections", Shape::Integer, "16384"),
    key("tls_handshakes", Shape::Integer, "256"),
    key("streams", Shape::Integer, "128"),
    key("stream_requests", Shape::Integer, "10000"),
    key("stream_resets", Shape::Integer, "200"),
    key("desync", Shape::Text, "\"defensive\""),
    key("forwarded_for", Shape::Text, "\"append\""),
    key("client_port", Shape::Boolean, "false"),
    key("trusted_proxies", Shape::TextList, "[\"10.0.0.0/8\"]"),
    key("preserve_host", Shape::Boolean, "true"),
];

const CERTIFICATE: &[Key] = &[
    key("cert", Shape::Text, "\"/etc/tls/fullchain.pem\""),
    key("key", Shape::Text, "\"/etc/tls/key.pem\""),
];

const DEFAULT: &[Key] = &[
    key("forward", Shape::TableList(FORWARD), "[{ service = \"api\" }]"),
    key("stickiness", Shape::Text, "\"1h\""),
    key(
        "redirect",
        Shape::Table(REDIRECT),
        "{ status = 301, protocol = \"HTTPS\" }",
    ),
    key("fixed", Shape::Table(FIXED), "{ status = 404 }"),
];
