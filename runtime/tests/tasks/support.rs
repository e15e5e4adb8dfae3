//! A runtime with its own directory, tasks of the guests under `tests/guests`, and what they logged.

mod data;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use wharf_runtime::{
    Artifact, Bytes as Size, CallError, CommandTask, CompilerCommand, CpuUnits, GuestBody, HostFiles,
    HttpTask, Isolation, LogSink, LogStream, NoSecrets, PrepareError, Reach, Runtime, RuntimeConfig,
    TaskSpec,
};

pub(crate) use data::Data;

/// Longer than anything here takes on a slow machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A runtime.
pub(crate) struct Bench {
    pub(crate) runtime: Arc<Runtime>,
}

impl Bench {
    /// A runtime on the cache that all tests share: each guest is compiled once, not once per test.
    pub(crate) fn new() -> Self {
        Self::on(Path::new(env!("CARGO_TARGET_TMPDIR")))
    }

    pub(crate) fn on(directory: &Path) -> Self {
        Self::of(config(directory))
    }

    pub(crate) fn with_compiler(directory: &Path, program: &str) -> Self {
        Self::with_compiler_args(directory, program, &[])
    }

    pub(crate) fn with_compiler_args(directory: &Path, program: &str, args: &[&str]) -> Self {
        let mut config = config(directory);
        config.compiler = CompilerCommand {
            program: program.into(),
            args: args.iter().map(Into::into).collect(),
        };
        Self::of(config)
    }

    /// A runtime on the shared cache, on a host that says of itself what these files say.
    pub(crate) fn on_host(host: HostFiles) -> Self {
        Self::of(RuntimeConfig {
            host,
            ..config(Path::new(env!("CARGO_TARGET_TMPDIR")))
        })
    }

    fn of(config: RuntimeConfig) -> Self {
        Self {
            runtime: Runtime::build(config).unwrap(),
        }
    }

    pub(crate) async fn artifact(&self, guest: &str) -> Artifact {
        let path = guest_path(guest);
        self.runtime.prepare(&path, &digest_of(&path)).await.unwrap()
    }

    /// An HTTP task of the guest that does as its path says.
    pub(crate) async fn http(&self, change: impl FnOnce(&mut TaskSpec)) -> (HttpTask, Arc<Log>) {
        let (mut spec, log) = spec();
        change(&mut spec);
        let artifact = self.artifact("guest_http").await;
        (
            HttpTask::activate(&self.runtime, artifact, spec).await.unwrap(),
            log,
        )
    }

    /// A task of the guest that does as its query says with this data.
    pub(crate) async fn with_data(&self, data: &Arc<Data>) -> HttpTask {
        let (mut spec, _) = spec();
        spec.key_value = data.clone();
        let artifact = self.artifact("guest_keyvalue").await;
        HttpTask::activate(&self.runtime, artifact, spec).await.unwrap()
    }

    /// A command task with these arguments.
    pub(crate) async fn command(
        &self,
        args: &[&str],
        change: impl FnOnce(&mut TaskSpec),
    ) -> (CommandTask, Arc<Log>) {
        let (mut spec, log) = spec();
        spec.args = args.iter().map(|arg| (*arg).to_owned()).collect();
        change(&mut spec);
        let artifact = self.artifact("guest-command").await;
        (
            CommandTask::start(&self.runtime, artifact, spec).await.unwrap(),
            log,
        )
    }
}

fn config(directory: &Path) -> RuntimeConfig {
    RuntimeConfig {
        cache_dir: directory.join("cache"),
        compiler: CompilerCommand {
            program: env!("CARGO_BIN_EXE_compile-child").into(),
            args: Vec::new(),
        },
        serve: tokio::runtime::Handle::current(),
        host: HostFiles::default(),
    }
}

/// A host that says of itself what the test makes it say.
pub(crate) struct FakeHost(TempDir);

impl FakeHost {
    pub(crate) fn new() -> Self {
        let root = TempDir::new().unwrap();
        std::fs::create_dir_all(root.path().join("proc/sys/vm")).unwrap();
        let host = Self(root);
        host.has_left(6_000_000);
        host
    }

    pub(crate) fn files(&self) -> HostFiles {
        HostFiles::below(self.0.path())
    }

    /// Of 8 GiB, so many KiB are left. The file is replaced: nobody reads half of it.
    pub(crate) fn has_left(&self, kib: u64) {
        let draft = self.0.path().join("meminfo");
        std::fs::write(&draft, format!("MemTotal: 8388608 kB\nMemAvailable: {kib} kB\n")).unwrap();
        std::fs::rename(draft, self.0.path().join("proc/meminfo")).unwrap();
    }

    pub(crate) fn has_mappings(&self, count: u32) {
        let file = self.0.path().join("proc/sys/vm/max_map_count");
        std::fs::write(file, count.to_string()).unwrap();
    }
}

/// A specification with room to spare, and its log.
pub(crate) fn spec() -> (TaskSpec, Arc<Log>) {
    let log = Arc::new(Log::default());
    let spec = TaskSpec {
        cpu: CpuUnits::new(2048).unwrap(),
        cpu_burst: false,
        memory: Size::mib(64),
        timeout: Some(PATIENCE),
        cpu_timeout: None,
        concurrency: 100,
        queue: 100,
        isolation: Isolation::Request,
        args: Vec::new(),
        env: Vec::new(),
        secrets: Arc::new(NoSecrets),
        egress: Vec::new(),
        reach: Reach::Anywhere,
        files: Vec::new(),
        key_value: Arc::new(Data::default()),
        log: log.clone(),
    };
    (spec, log)
}

pub(crate) fn guest_path(guest: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/guests/target/wasm32-wasip2/release")
        .join(format!("{guest}.wasm"));
    assert!(
        path.exists(),
        "{} is missing: run `cargo xtask guests`",
        path.display()
    );
    path
}

pub(crate) fn digest_of(path: &Path) -> String {
    let hex: String = Sha256::digest(std::fs::read(path).unwrap())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256:{hex}")
}

/// A command of this core module's `run`.
pub(crate) fn command(module: &str) -> Vec<u8> {
    program(&format!("{module} (core instance $i (instantiate $m))"))
}

/// A command of the `run` of the core instance `$i`.
pub(crate) fn program(instances: &str) -> Vec<u8> {
    let text = format!(
        r#"(component
            {instances}
            (func $run (result (result)) (canon lift (core func $i "run")))
            (instance $e (export "run" (func $run)))
            (export "wasi:cli/run@0.2.0" (instance $e)))"#
    );
    wat::parse_str(text).unwrap()
}

/// These bytes made ready to run.
pub(crate) async fn prepare(bench: &Bench, dir: &TempDir, bytes: &[u8]) -> Result<Artifact, PrepareError> {
    let path = dir.path().join("component.wasm");
    std::fs::write(&path, bytes).unwrap();
    bench.runtime.prepare(&path, &digest_of(&path)).await
}

pub(crate) type Answer = Result<Response<GuestBody>, CallError>;

pub(crate) async fn get(task: &HttpTask, path: &str) -> Answer {
    let request = Request::get(path)
        .header("host", "test")
        .body(Full::<Bytes>::default())
        .unwrap();
    task.call(request).await
}

/// Status and whole body.
pub(crate) async fn text(task: &HttpTask, path: &str) -> (u16, String) {
    let response = get(task, path).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// What a task logged.
#[derive(Debug, Default)]
pub(crate) struct Log(Mutex<Vec<(LogStream, String)>>);

impl LogSink for Log {
    fn write(&self, stream: LogStream, line: &[u8], _cut: bool) {
        self.0
            .lock()
            .unwrap()
            .push((stream, String::from_utf8_lossy(line).into_owned()));
    }
}

impl Log {
    pub(crate) fn lines(&self, stream: LogStream) -> Vec<String> {
        let lines = self.0.lock().unwrap();
        lines
            .iter()
            .filter(|(of, _)| *of == stream)
            .map(|(_, line)| line.clone())
            .collect()
    }

    pub(crate) fn contains(&self, words: &str) -> bool {
        self.0
            .lock()
            .unwrap()
            .iter()
            .any(|(_, line)| line.contains(words))
    }
}

/// Waits until `condition` holds.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !condition() {
        assert!(tokio::time::Instant::now() < deadline, "{what} did not come true");
        let _ = tokio::time::timeout(Duration::from_millis(2), std::future::pending::<()>()).await;
    }
}
