use tempfile::TempDir;

use super::*;

/// A root of our own, with these files.
fn root(files: &[(&str, &str)]) -> (TempDir, HostFiles) {
    let dir = TempDir::new().unwrap();
    for (path, content) in files {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let host = HostFiles::below(dir.path());
    (dir, host)
}

/// What to call it, the files, the bytes expected.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], u64);

const GIB: u64 = 1 << 30;
/// 8 GiB, of which 6 are left.
const MEMINFO: (&str, &str) = (
    "proc/meminfo",
    "MemTotal:  8388608 kB\nMemFree:  1 kB\nMemAvailable:  6291456 kB\n",
);

#[test]
fn meminfo_is_read_in_kibibytes() {
    let text = "MemTotal:       24545212 kB\nMemFree:  1 kB\nMemAvailable:   123 kB\n";
    assert_eq!(parse_meminfo(text, "MemTotal:"), Some(Bytes::kib(24_545_212)));
    assert_eq!(parse_meminfo(text, "MemAvailable:"), Some(Bytes::kib(123)));
    assert_eq!(parse_meminfo(text, "SwapTotal:"), None);
}

#[test]
fn the_strictest_limit_around_us_is_the_host_s_size() {
    let own = ("proc/self/cgroup", "1:name=systemd:/x\n0::/slice/unit\n");
    let table: [Case<'_>; 6] = [
        ("no control group", &[], 8 * GIB),
        (
            "its own limit",
            &[own, ("sys/fs/cgroup/slice/unit/memory.max", "2147483648\n")],
            2 * GIB,
        ),
        (
            "that of the group around it",
            &[
                own,
                ("sys/fs/cgroup/slice/unit/memory.max", "max\n"),
                ("sys/fs/cgroup/slice/memory.max", "1073741824\n"),
            ],
            GIB,
        ),
        (
            "not that of a group beside it",
            &[own, ("sys/fs/cgroup/other/memory.max", "1073741824\n")],
            8 * GIB,
        ),
        (
            "a container sees its group as the root",
            &[
                ("proc/self/cgroup", "0::/\n"),
                ("sys/fs/cgroup/memory.max", "3221225472\n"),
            ],
            3 * GIB,
        ),
        (
            "more than the machine has",
            &[
                ("proc/self/cgroup", "0::/\n"),
                ("sys/fs/cgroup/memory.max", "99999999999999\n"),
            ],
            8 * GIB,
        ),
    ];
    for (case, files, expected) in table {
        let (_dir, host) = root(&[&[MEMINFO], files].concat());
        assert_eq!(host.facts().memory, Bytes::new(expected), "{case}");
    }
}

#[test]
fn a_host_that_says_nothing_is_taken_for_a_small_one() {
    let (_dir, host) = root(&[]);
    assert_eq!(host.facts().memory, UNKNOWN_MEMORY);
    assert_eq!((host.available_memory(), host.max_mappings()), (None, None));
    // Nothing says that memory is short.
    assert!(HostMemory::new(host.facts(), host).has_room());
}

#[test]
fn what_is_left_is_the_least_of_the_machine_s_and_the_groups() {
    let group = |max: &'static str, current: &'static str, cached: &'static str| {
        [
            MEMINFO,
            ("proc/self/cgroup", "0::/unit\n"),
            ("sys/fs/cgroup/unit/memory.max", max),
            ("sys/fs/cgroup/unit/memory.current", current),
            ("sys/fs/cgroup/unit/memory.stat", cached),
        ]
    };
    let left = |files: &[(&str, &str)]| root(files).1.available_memory();
    assert_eq!(left(&[]), None);
    let table = [
        ("unlimited", "max", "5", "", 6 * GIB),
        ("limited", "1000", "400", "", 600),
        // Cached files are given back when needed.
        ("caching", "1000", "900", "anon 600\ninactive_file 300\n", 400),
        ("over its limit", "1000", "2000", "", 0),
    ];
    for (case, max, current, cached, expected) in table {
        let (_dir, host) = root(&group(max, current, cached));
        assert_eq!(host.available_memory(), Some(Bytes::new(expected)), "{case}");
    }
}

#[test]
fn a_twentieth_is_kept_free_within_bounds() {
    for (total, reserve) in [(1, 64), (8192, 409), (1 << 20, 1024)] {
        let facts = HostFacts {
            cores: 1,
            memory: Bytes::mib(total),
        };
        let kept = HostMemory::new(facts, HostFiles::default()).reserve;
        assert_eq!(kept.get() >> 20, reserve, "{total} MiB");
    }
}

#[test]
fn a_host_below_its_reserve_has_no_room() {
    let facts = HostFacts {
        cores: 1,
        memory: Bytes::gib(8),
    };
    for (left_kib, has_room) in [(420_000, true), (419_000, false)] {
        let (_dir, host) = root(&[("proc/meminfo", &format!("MemAvailable: {left_kib} kB"))]);
        assert_eq!(
            HostMemory::new(facts, host).has_room(),
            has_room,
            "{left_kib} KiB"
        );
    }
}
