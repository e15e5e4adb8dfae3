//! Standard input: empty, and open until the task is asked to stop.
//!
//! Wasm has no signals. A worker that reads its standard input sees it close when it should end; HTTP guests
//! read nothing and never notice.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use wasmtime::component::Linker;
use wasmtime_wasi::cli::{IsTerminal, StdinStream, WasiCli, WasiCliView};
use wasmtime_wasi::p2::bindings::cli;
use wasmtime_wasi::p2::{InputStream, Pollable, StreamError};

use super::{Capability, ConfigureError, Configured, Prepare, PrepareError, TaskContext};
use crate::guest_state::{GuestState, InstanceParts};

#[derive(Debug)]
pub(super) struct Stdin;

impl Capability for Stdin {
    fn link(&self, linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
        cli::stdin::add_to_linker::<GuestState, WasiCli>(linker, GuestState::cli)?;
        cli::terminal_input::add_to_linker::<GuestState, WasiCli>(linker, GuestState::cli)?;
        cli::terminal_stdin::add_to_linker::<GuestState, WasiCli>(linker, GuestState::cli)
    }

    fn configure(&self, task: &TaskContext<'_>) -> Result<Configured, ConfigureError> {
        Ok(Some(Box::new(OpenUntilStop(task.stop.clone()))))
    }
}

#[derive(Debug, Clone)]
struct OpenUntilStop(CancellationToken);

impl Prepare for OpenUntilStop {
    fn prepare(&self, instance: &mut InstanceParts) -> Result<(), PrepareError> {
        instance.wasi.stdin(self.clone());
        Ok(())
    }
}

impl IsTerminal for OpenUntilStop {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdinStream for OpenUntilStop {
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        Box::new(ReadUntilStop(Box::pin(self.0.clone().cancelled_owned())))
    }

    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(self.clone())
    }
}

impl InputStream for OpenUntilStop {
    fn read(&mut self, _size: usize) -> Result<Bytes, StreamError> {
        if self.0.is_cancelled() {
            Err(StreamError::Closed)
        } else {
            Ok(Bytes::new())
        }
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for OpenUntilStop {
    async fn ready(&mut self) {
        self.0.cancelled().await;
    }
}

struct ReadUntilStop(Pin<Box<WaitForCancellationFutureOwned>>);

impl AsyncRead for ReadUntilStop {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        _buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        self.0.as_mut().poll(cx).map(Ok)
    }
}
