//! The engine's configuration: what decides the compiled code, and how many instances fit in this process.
//!
//! Compiling happens in a child process whose engine must agree with ours in everything that shapes code, and needs
//! none of the address space that instances do. So the configuration has two layers.

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::host::HostFacts;
use crate::pool::Places;

/// Stack of native code a guest may use. Recursion past it traps.
const MAX_WASM_STACK: usize = 512 * 1024;
/// A fiber's whole stack: the guest's part and the host functions it calls.
const ASYNC_STACK: usize = 2 * 1024 * 1024;

/// Memory mappings one instance may split off, generously: image, heap, guard per memory, tables, a stack.
const MAPPINGS_PER_INSTANCE: u64 = 16;
/// Assumed where the kernel doesn't say: Linux's default.
const DEFAULT_MAX_MAPPINGS: u64 = 65_530;
/// At 4 GiB of address space each, these are a tenth of what x86-64 has.
const MAX_INSTANCES: u32 = 4096;
/// Fewer than this is not worth serving with: every component within the bounds below still finds its places.
const MIN_INSTANCES: u32 = 16;
/// Core instances, memories and tables in the pool, per component instance: most components have fewer.
const CORE_INSTANCES_PER_INSTANCE: u32 = 8;
const MEMORIES_PER_INSTANCE: u32 = 2;
const TABLES_PER_INSTANCE: u32 = 4;

/// Pages of a linear memory that stay mapped when its slot is given back, and are zeroed instead: what small
/// guests touch. Unmapping them costs interrupts on every core. At most this, and over all slots at most a
/// tenth of the host's memory.
const MAX_KEEP_RESIDENT: u64 = 2 * 1024 * 1024;
const MIN_KEEP_RESIDENT: u64 = 128 * 1024;
const TABLE_KEEP_RESIDENT: usize = 64 * 1024;
const STACK_KEEP_RESIDENT: usize = 64 * 1024;
/// Slots kept warm for the component they last held.
const MAX_WARM_SLOTS: u32 = 64;

/// Entries of one table: JavaScript and Go components need far more than the default 20 000.
const TABLE_ELEMENTS: usize = 200_000;
/// Core instances, memories and tables one component may have: a component of a handful of modules, linked.
pub(crate) const CORE_INSTANCES_PER_COMPONENT: u32 = 64;
pub(crate) const MEMORIES_PER_COMPONENT: u32 = 8;
pub(crate) const TABLES_PER_COMPONENT: u32 = 32;
/// Bytes of the engine's records of one instance: globals, function references, imports, of all its core instances.
pub(crate) const MAX_INSTANCE_RECORDS: u64 = 1024 * 1024;

/// The part of the configuration that compiled code depends on.
pub(crate) fn compile_config() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .memory_init_cow(true)
        .parallel_compilation(true)
        .max_wasm_stack(MAX_WASM_STACK)
        .async_stack_size(ASYNC_STACK)
        // A shared memory escapes the envelope.
        .shared_memory(false)
        .wasm_component_model(true)
        // WASI 0.2 needs none of it, and its tables and fibers are beyond the pool's bounds.
        .wasm_component_model_async(false)
        .concurrency_support(false);
    config
}

/// The engine that runs guests within `max_mappings` of memory, and what its pool has room for.
///
/// # Errors
/// When even a small pool can't be reserved.
pub(crate) fn serving_engine(
    host: HostFacts,
    max_mappings: Option<u64>,
) -> wasmtime::Result<(Engine, Places)> {
    let mappings = max_mappings.unwrap_or(DEFAULT_MAX_MAPPINGS);
    let mapped = u32::try_from(mappings / MAPPINGS_PER_INSTANCE).unwrap_or(u32::MAX);
    let mut instances = mapped.clamp(MIN_INSTANCES, MAX_INSTANCES);
    loop {
        let places = Places {
            instances,
            core_instances: instances * CORE_INSTANCES_PER_INSTANCE,
            memories: instances * MEMORIES_PER_INSTANCE,
            tables: instances * TABLES_PER_INSTANCE,
        };
        match Engine::new(&serving_config(places, host)) {
            Ok(engine) => return Ok((engine, places)),
            // Less address space than usual (a container's limit): a smaller pool may fit.
            Err(_) if instances / 2 >= MIN_INSTANCES => instances /= 2,
            Err(error) => return Err(error),
        }
    }
}

fn serving_config(places: Places, host: HostFacts) -> Config {
    let keep_resident =
        (host.memory.get() / 10 / u64::from(places.instances)).clamp(MIN_KEEP_RESIDENT, MAX_KEEP_RESIDENT);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(places.instances)
        .total_core_instances(places.core_instances)
        .total_memories(places.memories)
        .total_tables(places.tables)
        .total_stacks(places.instances)
        .max_component_instance_size(usize::try_from(MAX_INSTANCE_RECORDS).unwrap_or(usize::MAX))
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
        .max_memories_per_component(MEMORIES_PER_COMPONENT)
        .max_tables_per_component(TABLES_PER_COMPONENT)
        .table_elements(TABLE_ELEMENTS)
        .max_unused_warm_slots(MAX_WARM_SLOTS)
        .linear_memory_keep_resident(usize::try_from(keep_resident).unwrap_or(0))
        .table_keep_resident(TABLE_KEEP_RESIDENT)
        .async_stack_keep_resident(STACK_KEEP_RESIDENT)
        .pagemap_scan(Enabled::Auto);
    let mut config = compile_config();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}
