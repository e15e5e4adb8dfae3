//! The counters as Prometheus reads them.

use std::{fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, MetricEncoder, text},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

use super::Responses;
use crate::{group::TargetGroup, listener::Listener, routing::snapshot::Snapshot};

/// Everything there is to count, held for one scrape.
#[derive(Debug)]
pub(crate) struct Scrape {
    pub(crate) listeners: Vec<Arc<Listener>>,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) groups: Vec<Arc<TargetGroup>>,
}

impl Scrape {
    /// In the text format of OpenMetrics.
    pub(crate) fn text(self) -> String {
        let mut registry = Registry::with_prefix("wharf");
        registry.register_collector(Box::new(self));
        let mut written = String::new();
        // Writing to a string cannot fail, nor can what is written here.
        let _ = text::encode(&mut written, &registry);
        written
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.listeners(&mut encoder)?;
        self.traffic(&mut encoder)?;
        self.rules(&mut encoder)?;
        self.groups(&mut encoder)?;
        self.targets(&mut encoder)
    }
}

impl Scrape {
    fn listeners(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut open = gauge(encoder, "listener_connections_open", "Connections that are open")?;
        for listener in &self.listeners {
            let count = i64::try_from(listener.connections.count()).unwrap_or(i64::MAX);
            put(
                &mut open,
                &[("listener", listener.name.as_str())],
                &ConstGauge::new(count),
            )?;
        }
        let mut all = counter(encoder, "listener_connections", "Connections accepted")?;
        for listener in &self.listeners {
            put(
                &mut all,
                &[("listener", listener.name.as_str())],
                &listener.counts.connections,
            )?;
        }
        let mut rejected = counter(
            encoder,
            "listener_connections_rejected",
            "Connections that could not be let in",
        )?;
        for listener in &self.listeners {
            put(
                &mut rejected,
                &[("listener", listener.name.as_str())],
                &listener.counts.rejected,
            )?;
        }
        let mut failed = counter(
            encoder,
            "listener_tls_handshake_failures",
            "TLS handshakes that failed",
        )?;
        for listener in &self.listeners {
            put(
                &mut failed,
                &[("listener", listener.name.as_str())],
                &listener.counts.failed_handshakes,
            )?;
        }
        let mut desync = counter(
            encoder,
            "listener_noncompliant_requests",
            "Requests that do not comply with RFC 9112, by class",
        )?;
        for listener in &self.listeners {
            for (class, count) in listener.counts.by_class() {
                put(
                    &mut desync,
                    &[("listener", listener.name.as_str()), ("class", class)],
                    count,
                )?;
            }
        }
        Ok(())
    }

    fn traffic(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut responses = counter(encoder, "listener_responses", "Responses by class of status")?;
        for listener in &self.listeners {
            by_code(
                &mut responses,
                &[("listener", listener.name.as_str())],
                &listener.counts.responses,
            )?;
        }
        let mut received = counter(encoder, "listener_received_bytes", "Bytes of requests' bodies")?;
        for listener in &self.listeners {
            put(
                &mut received,
                &[("listener", listener.name.as_str())],
                &listener.counts.received,
            )?;
        }
        let mut sent = counter(encoder, "listener_sent_bytes", "Bytes of responses' bodies")?;
        for listener in &self.listeners {
            put(
                &mut sent,
                &[("listener", listener.name.as_str())],
                &listener.counts.sent,
            )?;
        }
        let mut duration = histogram(
            encoder,
            "listener_request_duration_seconds",
            "From a request's head to the end of its response",
        )?;
        for listener in &self.listeners {
            put(
                &mut duration,
                &[("listener", listener.name.as_str())],
                &listener.counts.duration,
            )?;
        }
        Ok(())
    }

    fn rules(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut requests = counter(
            encoder,
            "rule_requests",
            "Requests that met the rule, on all its listeners",
        )?;
        let counts = self.snapshot.counts();
        for (rule, of_rule) in &counts {
            put(
                &mut requests,
                &[("rule", rule.as_str())],
                &ConstCounter::new(of_rule.requests()),
            )?;
        }
        let mut duration = histogram(
            encoder,
            "rule_request_duration_seconds",
            "From a request's head to the end of its response, of rules that were met",
        )?;
        for (rule, of_rule) in &counts {
            if let Some(durations) = of_rule.durations() {
                put(&mut duration, &[("rule", rule.as_str())], durations)?;
            }
        }
        Ok(())
    }

    fn groups(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut responses = counter(
            encoder,
            "target_group_responses",
            "Responses to requests forwarded to the group, the gateway's own included",
        )?;
        for group in &self.groups {
            by_code(
                &mut responses,
                &[("target_group", group.name().as_str())],
                &group.counts.responses,
            )?;
        }
        let mut retries = counter(
            encoder,
            "target_group_retries",
            "Attempts after a request's first",
        )?;
        for group in &self.groups {
            put(
                &mut retries,
                &[("target_group", group.name().as_str())],
                &group.counts.retries,
            )?;
        }
        let mut head = histogram(
            encoder,
            "target_group_response_seconds",
            "From a request's head to its response's",
        )?;
        for group in &self.groups {
            put(
                &mut head,
                &[("target_group", group.name().as_str())],
                &group.counts.head,
            )?;
        }
        let mut targets = gauge(encoder, "target_group_targets", "Targets by state of health")?;
        for group in &self.groups {
            let statuses = group.targets();
            for state in ["initial", "healthy", "unhealthy", "draining"] {
                let count = statuses
                    .iter()
                    .filter(|target| target.health.state() == state)
                    .count();
                let labels = [("target_group", group.name().as_str()), ("state", state)];
                put(
                    &mut targets,
                    &labels,
                    &ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX)),
                )?;
            }
        }
        Ok(())
    }

    fn targets(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut in_flight = gauge(encoder, "target_requests_in_flight", "Requests the target has")?;
        for group in &self.groups {
            for target in group.targets() {
                let labels = [
                    ("target_group", group.name().as_str()),
                    ("target", target.id.as_str()),
                ];
                put(
                    &mut in_flight,
                    &labels,
                    &ConstGauge::new(i64::from(target.in_flight)),
                )?;
            }
        }
        let mut responses = counter(
            encoder,
            "target_responses",
            "Responses to requests forwarded to the target, the gateway's own included",
        )?;
        for group in &self.groups {
            for member in group.members() {
                let labels = [
                    ("target_group", group.name().as_str()),
                    ("target", member.id().as_str()),
                ];
                by_code(&mut responses, &labels, &member.counts.responses)?;
            }
        }
        let mut head = histogram(
            encoder,
            "target_response_seconds",
            "From a request's head to the response's that the target gave",
        )?;
        for group in &self.groups {
            for member in group.members() {
                let labels = [
                    ("target_group", group.name().as_str()),
                    ("target", member.id().as_str()),
                ];
                put(&mut head, &labels, &member.counts.head)?;
            }
        }
        Ok(())
    }
}

fn counter<'e>(
    encoder: &'e mut DescriptorEncoder<'_>,
    name: &'e str,
    help: &str,
) -> Result<MetricEncoder<'e>, fmt::Error> {
    encoder.encode_descriptor(name, help, None, MetricType::Counter)
}

fn gauge<'e>(
    encoder: &'e mut DescriptorEncoder<'_>,
    name: &'e str,
    help: &str,
) -> Result<MetricEncoder<'e>, fmt::Error> {
    encoder.encode_descriptor(name, help, None, MetricType::Gauge)
}

fn histogram<'e>(
    encoder: &'e mut DescriptorEncoder<'_>,
    name: &'e str,
    help: &str,
) -> Result<MetricEncoder<'e>, fmt::Error> {
    encoder.encode_descriptor(name, help, None, MetricType::Histogram)
}

fn put(
    family: &mut MetricEncoder<'_>,
    labels: &impl EncodeLabelSet,
    metric: &impl EncodeMetric,
) -> fmt::Result {
    metric.encode(family.encode_family(labels)?)
}

fn by_code<const N: usize>(
    family: &mut MetricEncoder<'_>,
    labels: &[(&str, &str); N],
    responses: &Responses,
) -> fmt::Result {
    for (code, count) in responses.by_code() {
        let labels: Vec<_> = labels.iter().copied().chain([("code", code)]).collect();
        put(family, &labels, count)?;
    }
    Ok(())
}
