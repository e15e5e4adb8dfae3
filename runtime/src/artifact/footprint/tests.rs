use wasmtime::{Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::*;
use crate::engine::compile_config;

fn footprint(text: &str) -> Footprint {
    of(&wat::parse_str(text).unwrap()).unwrap()
}

#[test]
fn places_and_first_memory_are_counted_per_instance_of_a_module() {
    let found = footprint(
        r#"(component
            (core module $m (memory 2) (table 100 funcref) (table 1 externref))
            (core module $unused (memory 50))
            (core instance (instantiate $m))
            (core instance (instantiate $m)))"#,
    );
    assert_eq!((found.core_instances, found.memories, found.tables), (2, 2, 4));
    assert_eq!(found.initial, 2 * (2 * 65_536 + 101 * TABLE_ELEMENT));
}

#[test]
fn nested_and_outer_things_are_followed() {
    let found = footprint(
        r#"(component
            (core module $m (memory 1))
            (component $inner
                (alias outer 1 $m (core module $n))
                (core instance (instantiate $n)))
            (instance (instantiate $inner))
            (instance (instantiate $inner))
            (instance (instantiate $inner)))"#,
    );
    assert_eq!((found.memories, found.initial), (3, 3 * 65_536));
    // The engine's adapters between them are its own to count.
    assert_eq!(found.core_instances, CORE_INSTANCES_PER_COMPONENT);
}

#[test]
fn what_comes_from_outside_counts_as_much_as_the_pool_admits() {
    let found = footprint(
        r#"(component
            (component $c (import "m" (core module $m)) (core instance (instantiate $m)))
            (core module $small)
            (instance (instantiate $c (with "m" (core module $small)))))"#,
    );
    assert_eq!(found, Footprint::UNKNOWN);
}

#[test]
fn figures_survive_the_way_from_the_child() {
    let figures = footprint("(component (core module $m (memory 3)) (core instance (instantiate $m)))");
    assert_eq!(Footprint::from_words(&figures.to_words()), Some(figures));
    for damaged in ["", "1 2 3 4", "1 2 3 4 5 6", "1 2 3 4 x"] {
        assert_eq!(Footprint::from_words(damaged), None, "{damaged:?}");
    }
}

/// The engine's own figure for the records of one instance: it names it when it refuses one.
fn engines_figure(component: &[u8]) -> u64 {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(1)
        .max_component_instance_size(1)
        .max_memories_per_module(100)
        .max_tables_per_module(100);
    let mut config = compile_config();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    let engine = Engine::new(&config).unwrap();
    let error = wasmtime::component::Component::new(&engine, component).unwrap_err();
    let error = format!("{error:#}");
    let (_, figure) = error
        .split_once("instance allocation for this component requires ")
        .unwrap_or_else(|| panic!("{error}"));
    figure.split_once(' ').unwrap().0.parse().unwrap()
}

#[test]
fn records_are_never_less_than_the_engine_s_and_not_much_more() {
    let functions = 2000;
    let imported = 300;
    let list = |count: usize, each: &dyn Fn(usize) -> String| (0..count).map(each).collect::<String>();
    let table = [
        ("nothing", String::new()),
        ("globals", list(3000, &|n| format!("(global (mut i64) (i64.const {n}))"))),
        ("vector globals", list(3000, &|_| "(global (mut v128) (v128.const i64x2 0 0))".into())),
        ("exports", list(functions, &|n| format!(r#"(func (export "f{n}"))"#))),
        ("private functions", list(functions, &|_| "(func)".into())),
        (
            "a table of functions",
            format!("(func $f) (func $g) (table {functions} funcref) (elem (i32.const 0) func {})", list(functions / 2, &|_| "$f $g ".into())),
        ),
        (
            "expressions",
            "(func $f) (table 1 funcref) (elem (i32.const 0) funcref (ref.func $f)) (global funcref (ref.func $f)) (start $f)".into(),
        ),
        ("segments", format!("(memory 1) {}", list(1000, &|n| format!(r#"(data "segment {n}")"#)))),
        ("memories and tables", format!("{} {}", list(7, &|_| "(memory 1)".into()), list(30, &|_| "(table 1 funcref)".into()))),
    ];
    for (what, module) in table {
        let component = format!("(component (core module $m {module}) (core instance (instantiate $m)))");
        within(what, &wat::parse_str(component).unwrap());
    }
    let exports = list(imported, &|n| format!(r#"(func (export "f{n}"))"#));
    let imports = list(imported, &|n| format!(r#"(import "a" "f{n}" (func))"#));
    let component = format!(
        r#"(component (core module $a {exports}) (core module $b {imports})
            (core instance $i (instantiate $a)) (core instance (instantiate $b (with "a" (instance $i)))))"#
    );
    within("imports", &wat::parse_str(component).unwrap());
}

#[test]
fn adapters_between_components_are_within_the_figure() {
    let lifted: String = (0..20)
        .map(|n| format!(r#"(func (export "f{n}") (param "s" string) (canon lift (core func $i "f") (memory (core memory $i "m")) (realloc (core func $i "r"))))"#))
        .collect();
    let used: String = (0..20)
        .map(|n| {
            format!(r#"(core func $l{n} (canon lower (func $a "f{n}") (memory (core memory $mem "m"))))"#)
        })
        .collect();
    let passed: String = (0..20)
        .map(|n| format!(r#"(export "f{n}" (func $l{n}))"#))
        .collect();
    let imports: String = (0..20)
        .map(|n| format!(r#"(import "a" "f{n}" (func (param i32 i32)))"#))
        .collect();
    let component = format!(
        r#"(component
            (component $callee
                (core module $m (memory (export "m") 1) (func (export "f") (param i32 i32))
                    (func (export "r") (param i32 i32 i32 i32) (result i32) i32.const 0))
                (core instance $i (instantiate $m))
                {lifted})
            (component $caller
                (import "a" (instance $a {types}))
                (core module $memory (memory (export "m") 1))
                (core instance $mem (instantiate $memory))
                {used}
                (core module $m {imports})
                (core instance (instantiate $m (with "a" (instance {passed})))))
            (instance $a (instantiate $callee))
            (instance (instantiate $caller (with "a" (instance $a)))))"#,
        types = (0..20)
            .map(|n| format!(r#"(export "f{n}" (func (param "s" string)))"#))
            .collect::<String>(),
    );
    let bytes = wat::parse_str(component).unwrap();
    let (ours, engines) = (of(&bytes).unwrap().records, engines_figure(&bytes));
    assert!(ours >= engines, "{ours} of {engines}");
}

fn within(what: &str, component: &[u8]) {
    let (ours, engines) = (of(component).unwrap().records, engines_figure(component));
    assert!(ours >= engines, "{what}: {ours} of {engines}");
    assert!(ours <= engines * 5 / 4 + 8 * 1024, "{what}: {ours} of {engines}");
}
