//! The end of a request: whose doing it was, and what is counted and logged of it.

use std::{borrow::Cow, time::Instant};

use http::Version;

use super::{Ending, Exchange};
use crate::{
    access_log::{AccessEntry, TlsEntry},
    body::Seconds,
    inspect::Reason,
    listener::connections::Phase,
    metrics::Counted,
};

/// What is logged for a client that closed its connection before there was a response. ALB: 460.
const CLIENT_CLOSED: u16 = 460;

impl Drop for Exchange {
    fn drop(&mut self) {
        self.leave_unread();
        self.connection.pace.all_read();
        self.log();
        self.connection.pace.end();
    }
}

impl Exchange {
    /// A client that still sends would lose the answer if its connection were closed under it.
    fn leave_unread(&self) {
        let read = match &self.upload {
            Some(upload) => upload.has_ended(),
            None => !self.has_body,
        };
        if !read && self.version <= Version::HTTP_11 {
            self.connection.pace.handoff.leave_unread();
        }
    }

    fn count(&self, entry: &AccessEntry<'_>, ended: Instant) {
        let counted = Counted {
            status: entry.status,
            class: self.classification.class(),
            received: entry.request_bytes,
            sent: entry.response_bytes,
            duration: ended - self.started,
            head: self.head.map(|(_, at)| at - self.started),
            retries: self.retries,
        };
        self.connection.listener.counts.count(&counted);
        if let Some(rule) = &self.rule {
            rule.count(counted.duration);
        }
        if let Some(group) = &self.group {
            group.counts.count(&counted);
        }
        if let (Some(member), Some(status)) = (self.member(), counted.status) {
            member.count(status, counted.head);
        }
    }

    /// How it came to its end: whether by the client, and for what reason.
    fn client_left(&mut self) -> bool {
        let cut = self.ending.is_none() && self.connection.listener.connections.phase() == Phase::Cut;
        if cut {
            self.reason
                .get_or_insert("the gateway shut down before the response had ended".into());
        }
        // A target may end its response as if nothing were wrong with the request.
        if self.ending == Some(Ending::Complete) && self.reason.is_none() {
            self.reason = self.upload_failure().map(|cause| cause.reason());
        }
        // What was handed over may lie there untaken.
        let stuck = self.ending != Some(Ending::BrokeOff) && self.is_stuck();
        let left = stuck || (self.ending.is_none() && !cut);
        if stuck {
            let allowed = Seconds(self.connection.limits().write_timeout);
            self.reason.get_or_insert_with(|| {
                format!("the client took nothing of the response for {allowed}").into()
            });
        } else if left && self.version == Version::HTTP_2 {
            self.connection.pace.reset();
        }
        left
    }

    fn log(&mut self) {
        let left = self.client_left();
        let usage = self.probe.as_ref().map_or(self.usage, |probe| probe.usage());
        let ended = Instant::now();
        let millis = |until: Instant| (until - self.started).as_micros() as f64 / 1000.0;
        let entry = AccessEntry {
            time: self.time,
            request_id: self.request_id.to_str().unwrap_or_default(),
            client: self.connection.client.ip(),
            forwarded_for: self.origin,
            trace_id: self.trace.id(),
            listener: self.connection.listener.name.as_str(),
            method: self.method.as_str(),
            host: self.host.as_ref().and_then(|host| host.to_str().ok()),
            path: self.uri.path(),
            protocol: protocol(self.version),
            rule: self.rule.as_ref().map(|rule| rule.name().as_str()),
            service: self.group.as_ref().map(|group| group.name().as_str()),
            task: self.member().map(|member| member.id().as_str()),
            status: self
                .head
                .map(|(status, _)| status.as_u16())
                .or(left.then_some(CLIENT_CLOSED)),
            retries: self.retries,
            failed_targets: self.failed.iter().map(|member| member.id().as_str()).collect(),
            request_bytes: self
                .upload
                .as_ref()
                .map_or(self.upgraded_bytes, |upload| upload.bytes()),
            response_bytes: self.response_bytes,
            duration_ms: millis(ended),
            head_ms: self.head.map(|(_, at)| millis(at)),
            cpu_us: usage.cpu_us,
            peak_memory: usage.peak_memory,
            reason: self.reason.as_deref().map(Cow::Borrowed),
            classification: self.classification.class().label(),
            classification_reason: match self.classification {
                Reason::Compliant => None,
                reason => Some(reason.code()),
            },
            tls: self.connection.encryption.as_ref().map(|encryption| TlsEntry {
                version: encryption.version,
                cipher: encryption.cipher,
                server_name: encryption.server_name.as_deref(),
            }),
            client_left: left,
        };
        self.count(&entry, ended);
        self.connection.shared.access_log.record(&entry);
    }
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}
