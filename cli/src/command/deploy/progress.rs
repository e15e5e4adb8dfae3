//! What is under way, on standard error: one line that changes on a terminal, a line each elsewhere.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How often the spinner turns.
const TURN: Duration = Duration::from_millis(100);

/// Where progress is shown.
pub(crate) enum Progress {
    /// Nowhere: standard error belongs to someone else.
    Quiet,
    /// A line for each thing that is new.
    Plain,
    /// A line that changes.
    Terminal(ProgressBar),
}

impl Progress {
    /// As standard error allows.
    pub(crate) fn shown() -> Self {
        if !io::stderr().is_terminal() {
            return Self::Plain;
        }
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(TURN);
        Self::Terminal(bar)
    }

    /// On a terminal only: elsewhere standard error belongs to a job.
    pub(crate) fn on_terminal() -> Self {
        match Self::shown() {
            Self::Plain => Self::Quiet,
            terminal => terminal,
        }
    }

    /// Something begins, or goes on differently.
    #[expect(clippy::print_stderr, reason = "standard output is the command's answer")]
    pub(crate) fn say(&self, text: &str) {
        match self {
            Self::Quiet => {}
            Self::Plain => eprintln!("{text}"),
            Self::Terminal(bar) => bar.set_message(text.to_owned()),
        }
    }

    /// An upload of so many bytes begins; what is sent is told to the bar that is returned.
    pub(crate) fn uploading(&self, text: &str, bytes: u64) -> ProgressBar {
        self.say(text);
        let Self::Terminal(spinner) = self else {
            return ProgressBar::hidden();
        };
        spinner.set_length(bytes);
        spinner.set_position(0);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {bar:30} {bytes}/{total_bytes}") {
            spinner.set_style(style);
        }
        spinner.clone()
    }

    /// The upload has ended.
    pub(crate) fn uploaded(&self) {
        if let Self::Terminal(spinner) = self {
            spinner.set_style(ProgressStyle::default_spinner());
        }
    }

    /// Leaves a clean line behind.
    pub(crate) fn end(&self) {
        if let Self::Terminal(bar) = self {
            bar.finish_and_clear();
        }
    }
}
