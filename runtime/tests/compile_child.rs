//! The compiler child on its own: `wharf` runs this part of itself; the tests of this crate run it alone.

use std::process::ExitCode;

fn main() -> ExitCode {
    wharf_runtime::compile_child_main()
}
