#!/usr/bin/env bash
# Makes `cargo build --target wasm32-wasip2` possible on this machine, and does nothing where it already is.
#
#   1. the active toolchain has the target                      nothing to do
#   2. rustup can add it                                        rustup target add wasm32-wasip2
#   3. Debian 12, or rustup cannot download                     Debian's compiler for the web (rustc-web); the
#      target's standard library is compiled once from rust-web-src and put into that compiler's sysroot.
#      With rustup on the machine, the result is linked as the toolchain `guest`.
#
# `cargo xtask` finds all three. A limit of the third: guests have no std::net.
#
# Usage: scripts/guest-toolchain.sh [--debian]      --debian: go to 3 at once
set -euo pipefail

target=wasm32-wasip2
linked=guest
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
note() { printf 'guest toolchain: %s\n' "$*"; }
die() { printf 'guest toolchain: %s\n' "$*" >&2; exit 1; }

# A target that is listed but cannot link is no use: both kinds of guest are built, a program and a cdylib.
builds_guests() { # RUSTC
  echo 'fn main() { println!("{}", std::env::args().count()) }' >"$work/program.rs"
  echo '#[unsafe(no_mangle)] pub extern "C" fn count() -> usize { std::env::args().count() }' >"$work/library.rs"
  {
    "$1" --edition 2024 --target "$target" -C lto=fat -o "$work/program.wasm" "$work/program.rs" &&
      "$1" --edition 2024 --target "$target" -C lto=fat --crate-type cdylib -o "$work/library.wasm" "$work/library.rs"
  } >"$work/rustc.log" 2>&1
}

has_rustup() { command -v rustup >/dev/null && rustup --version >/dev/null 2>&1; }

if [ "${1:-}" != --debian ]; then
  if command -v rustc >/dev/null && builds_guests rustc; then
    note "$(rustc --version) builds $target"
    exit 0
  fi
  if has_rustup && timeout 180 rustup target add "$target" && builds_guests rustc; then
    note "rustup added $target to $(rustc --version)"
    exit 0
  fi
  note "rustup is not here or cannot add $target: using Debian's packages"
fi

command -v apt-get >/dev/null ||
  die "this is not Debian. Install your distribution's Rust std for $target, or link a toolchain that has it: rustup toolchain link $linked DIR"

install() { # PACKAGE...: only what is missing
  local missing=() package
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ "${#missing[@]}" -gt 0 ] || return 0
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
}

if ! apt-cache show rust-web-llvm >/dev/null 2>&1; then
  as_root apt-get update -q
  apt-cache show rust-web-llvm >/dev/null 2>&1 ||
    die "apt has no rust-web-llvm: add Debian's security suite (bookworm-security: rustc-web 1.96 or newer) to the sources"
fi
install rustc-web cargo-web rust-web-src rust-web-llvm wasi-libc ca-certificates
rustc=/usr/bin/rustc
llvm=$("$rustc" -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
host=$("$rustc" -vV | sed -n 's/^host: //p')
install "lld-$llvm"

sysroot=$("$rustc" --print sysroot)
library=$sysroot/lib/rustlib/$target/lib
made_from="$("$rustc" --version), wasi-libc $(dpkg-query -W -f '${Version}' wasi-libc), lld-$llvm"

link() {
  if has_rustup; then rustup toolchain link "$linked" "$sysroot"; fi
  note "ready: $made_from"
}

if [ "$(cat "$library/.made-from" 2>/dev/null)" = "$made_from" ] && builds_guests "$rustc"; then
  link
  exit 0
fi

# The component linker takes the first of wasm-ld and rust-lld on its PATH, and rustc puts this directory first:
# an older /usr/bin/wasm-ld must not be found.
as_root ln -sfn "/usr/lib/llvm-$llvm/bin/lld" "$sysroot/lib/rustlib/$host/bin/rust-lld"

note "compiling std for $target ($made_from)"
mkdir -p "$work/seed/src" "$work/library/self-contained"
touch "$work/seed/src/lib.rs"
cat >"$work/seed/Cargo.toml" <<'END'
[package]
name = "seed"
version = "0.0.0"
edition = "2024"
[profile.release]
panic = "abort"
codegen-units = 1
END
# Bitcode goes in so that guests may ask for lto. std's own dependencies come from the Rust registry: Debian's
# copy of wit-bindgen lacks a prebuilt archive.
(
  cd "$work/seed"
  unset CARGO_TARGET_DIR CARGO_BUILD_TARGET CARGO_ENCODED_RUSTFLAGS RUSTUP_TOOLCHAIN CARGO
  RUSTC=$rustc RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Cembed-bitcode=yes \
    /usr/bin/cargo build --quiet --release --target "$target" -Z build-std=std,panic_abort,proc_macro,test
)
find "$work/seed/target/$target/release/deps" -name 'lib*.rlib' ! -name 'libseed-*' -exec cp -t "$work/library" {} +
cp -t "$work/library/self-contained" /usr/lib/wasm32-wasi/libc.a /usr/lib/wasm32-wasi/crt1-reactor.o

# Debian's start file for commands leaves the constructors to the linker, which then wraps every export in them,
# `cabi_realloc` too; such a component traps as soon as a directory is mounted. This one calls them itself.
cat >"$work/start.rs" <<'END'
#![no_std]
#![crate_type = "lib"]
unsafe extern "C" {
    fn __wasm_call_ctors();
    fn __wasm_call_dtors();
    fn __main_void() -> i32;
    fn __wasi_proc_exit(code: i32) -> !;
}
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _start() {
    unsafe {
        __wasm_call_ctors();
        let code = __main_void();
        __wasm_call_dtors();
        if code != 0 {
            __wasi_proc_exit(code)
        }
    }
}
END
as_root rm -rf "$library"
as_root mkdir -p "$library"
as_root cp -r "$work/library/." "$library/"
"$rustc" --edition 2024 --target "$target" --emit=obj -O -C codegen-units=1 -o "$work/crt1-command.o" "$work/start.rs"
as_root cp "$work/crt1-command.o" "$library/self-contained/"
as_root chmod -R a+rX "$sysroot/lib/rustlib/$target"

builds_guests "$rustc" || { cat "$work/rustc.log" >&2; die "std was compiled, and a test program still does not build (above)"; }
echo "$made_from" | as_root tee "$library/.made-from" >/dev/null
link
