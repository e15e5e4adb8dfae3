//! `wharf capacity`: what the host has, who holds it, who waits for some.

use anyhow::Result;
use wharf_control::api::types::{Capacity, Holder, PendingTask, Resources};

use crate::api::Api;
use crate::args;
use crate::output::{self, bytes};

/// The host, its largest holders, and what is PENDING.
pub(crate) async fn capacity(api: &Api, args: &args::Capacity) -> Result<()> {
    let by = if args.tasks { "task" } else { "service" };
    let found: Capacity = api.get(&format!("/v1/capacity?by={by}")).await?;
    output::answer(args.client.output, &found, text)?;
    Ok(())
}

fn text(capacity: &Capacity) -> String {
    let mut parts = vec![host(capacity)];
    if !capacity.holders.is_empty() {
        parts.push(format!(
            "{}{}",
            holders(&capacity.holders),
            more(capacity.holders.len(), capacity.holders_in_all)
        ));
    }
    if !capacity.pending.is_empty() {
        parts.push(format!(
            "{}{}",
            pending(&capacity.pending),
            more(capacity.pending.len(), capacity.pending_in_all)
        ));
    }
    parts.join("\n\n")
}

fn host(capacity: &Capacity) -> String {
    let Capacity {
        host,
        limit,
        reserved,
        used,
        ..
    } = capacity;
    let row = |name: &str, of: fn(&Resources) -> u64, show: fn(u64) -> String| {
        let free = of(limit).saturating_sub(of(reserved));
        [
            name.to_owned(),
            show(of(host)),
            show(of(limit)),
            show(of(reserved)),
            show(free),
            show(of(used)),
        ]
    };
    let header = ["", "HOST", "MAY BE PROMISED", "RESERVED", "FREE", "USED"];
    let rows = [
        row("cpu", |amount| amount.cpu, units),
        row("memory", |amount| amount.memory_bytes, bytes),
    ];
    output::table(header, rows)
}

fn units(cpu: u64) -> String {
    cpu.to_string()
}

fn holders(holders: &[Holder]) -> String {
    let header = [
        "HOLDER",
        "NAMESPACE",
        "TASKS",
        "CPU RESERVED",
        "CPU USED",
        "MEMORY RESERVED",
        "MEMORY USED",
    ];
    let row = |holder: &Holder| {
        let who = match &holder.task_id {
            Some(task) => format!("{} {task}", holder.group),
            None => holder.group.clone(),
        };
        [
            who,
            holder.namespace.clone(),
            holder.tasks.to_string(),
            units(holder.reserved.cpu),
            units(holder.used.cpu),
            bytes(holder.reserved.memory_bytes),
            bytes(holder.used.memory_bytes),
        ]
    };
    output::table(header, holders.iter().map(row))
}

fn pending(tasks: &[PendingTask]) -> String {
    let header = ["PENDING", "OF", "NAMESPACE", "CPU", "MEMORY", "AGE", "REASON"];
    let row = |task: &PendingTask| {
        [
            task.task_id.clone(),
            task.group.clone(),
            task.namespace.clone(),
            units(task.wants.cpu),
            bytes(task.wants.memory_bytes),
            output::age(task.created_at),
            output::harmless(task.reason.as_deref().unwrap_or("")),
        ]
    };
    output::table(header, tasks.iter().map(row))
}

fn more(shown: usize, in_all: usize) -> String {
    match in_all.saturating_sub(shown) {
        0 => String::new(),
        more => format!("\nand {more} more"),
    }
}
