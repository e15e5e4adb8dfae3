//! What one instance of a component takes before it has done anything: places in the engine's pool, the engine's
//! records of it, its first memories and tables.
//!
//! Read from the component's own bytes, by following its index spaces from the inside out. The engine tells none of
//! it in advance but refuses what is beyond the pool's bounds, so that where a component can't be followed (a module that
//! comes in as an argument) the bounds stand in for the figures.

use std::collections::BTreeSet;
use std::str::FromStr;

use wasmparser::{
    BinaryReaderError, ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind,
    ComponentTypeRef, ConstExpr, ElementItems, ElementKind, Encoding, ExternalKind, Instance, Operator,
    Parser, Payload,
};

use crate::engine::{
    CORE_INSTANCES_PER_COMPONENT, MAX_INSTANCE_RECORDS, MEMORIES_PER_COMPONENT, TABLES_PER_COMPONENT,
};
use crate::memory::TABLE_ELEMENT;

/// Bytes of a core instance's record apart from what it lists.
const CORE_INSTANCE: u64 = 1024;
/// Bytes of a component instance's record apart from what it lists.
const COMPONENT_INSTANCE: u64 = 1024;
/// Bytes of a record's cell. What is listed there takes this many of them: a global (of any type), a table, an
/// element or segment one; a reference to a function, a memory, a start function two; an import four.
const CELL: u64 = 16;
const REFERENCE_CELLS: u64 = 2;
const MEMORY_CELLS: u64 = 2;
const START_CELLS: u64 = 2;
const IMPORT_CELLS: u64 = 4;
/// Bytes per function that crosses a component's border: its trampoline's reference, and where two components of one
/// bundle meet, the record of the adapter the engine puts between them.
const CROSSING: u64 = 512;

/// What one instance of a component takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Footprint {
    /// Core instances, at most.
    pub(crate) core_instances: u32,
    /// Linear memories, at most.
    pub(crate) memories: u32,
    /// Tables, at most.
    pub(crate) tables: u32,
    /// Bytes of the engine's records (globals, function references, imports), at most.
    pub(crate) records: u64,
    /// Bytes of memories and tables at the start, at least.
    pub(crate) initial: u64,
}

impl Footprint {
    /// Stands for what can't be followed: as much as the pool admits.
    const UNKNOWN: Self = Self {
        core_instances: CORE_INSTANCES_PER_COMPONENT,
        memories: MEMORIES_PER_COMPONENT,
        tables: TABLES_PER_COMPONENT,
        records: MAX_INSTANCE_RECORDS,
        initial: 0,
    };

    fn add(&mut self, other: Self) {
        self.core_instances = self.core_instances.saturating_add(other.core_instances);
        self.memories = self.memories.saturating_add(other.memories);
        self.tables = self.tables.saturating_add(other.tables);
        self.records = self.records.saturating_add(other.records);
        self.initial = self.initial.saturating_add(other.initial);
    }

    /// More than the pool's bounds it can't be: the engine refuses such a component.
    fn within_the_pool(self) -> Self {
        Self {
            core_instances: self.core_instances.min(CORE_INSTANCES_PER_COMPONENT),
            memories: self.memories.min(MEMORIES_PER_COMPONENT),
            tables: self.tables.min(TABLES_PER_COMPONENT),
            records: self.records.min(MAX_INSTANCE_RECORDS),
            initial: self.initial,
        }
    }

    /// As the compiler child says it, and as it stands in the cache: the figures in order.
    pub(super) fn to_words(self) -> String {
        let Self {
            core_instances,
            memories,
            tables,
            records,
            initial,
        } = self;
        format!("{core_instances} {memories} {tables} {records} {initial}")
    }

    /// Reads what [`to_words`](Self::to_words) wrote.
    pub(super) fn from_words(words: &str) -> Option<Self> {
        fn next<T: FromStr>(words: &mut std::str::SplitWhitespace<'_>) -> Option<T> {
            words.next()?.parse().ok()
        }
        let mut words = words.split_whitespace();
        let read = Self {
            core_instances: next(&mut words)?,
            memories: next(&mut words)?,
            tables: next(&mut words)?,
            records: next(&mut words)?,
            initial: next(&mut words)?,
        };
        words.next().is_none().then_some(read)
    }
}

/// Reads a component that was validated.
pub(super) fn of(bytes: &[u8]) -> Result<Footprint, BinaryReaderError> {
    let mut open = Vec::new();
    let mut whole = Footprint::default();
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::Version { encoding, .. } => open.push(match encoding {
                Encoding::Module => Scope::Module(Module::default()),
                Encoding::Component => Scope::Component(Component::default()),
            }),
            Payload::End(_) => match open.pop() {
                Some(Scope::Module(module)) => {
                    if let Some(Scope::Component(around)) = open.last_mut() {
                        around.modules.push(module.footprint());
                    }
                }
                Some(Scope::Component(component)) => {
                    whole = component.footprint();
                    if let Some(Scope::Component(around)) = open.last_mut() {
                        around.components.push(whole);
                    }
                }
                None => {}
            },
            payload => read(&mut open, payload)?,
        }
    }
    Ok(whole.within_the_pool())
}

/// What is being read: a module, or a component with those it is nested in before it.
enum Scope {
    Module(Module),
    Component(Component),
}

fn read(open: &mut [Scope], payload: Payload<'_>) -> Result<(), BinaryReaderError> {
    let Some((innermost, around)) = open.split_last_mut() else {
        return Ok(());
    };
    match innermost {
        Scope::Module(module) => module.read(payload),
        Scope::Component(component) => component.read(payload, around),
    }
}

/// A core module: what one instance of it lists.
#[derive(Debug, Default)]
struct Module {
    /// Cells of its record, apart from references to functions.
    cells: u64,
    memories: u32,
    tables: u32,
    initial: u64,
    /// Functions that something can refer to: each has a reference in every instance.
    referred: BTreeSet<u32>,
}

impl Module {
    fn footprint(&self) -> Footprint {
        let referred = u64::try_from(self.referred.len()).unwrap_or(u64::MAX);
        let cells = self
            .cells
            .saturating_add(referred.saturating_mul(REFERENCE_CELLS));
        Footprint {
            core_instances: 1,
            memories: self.memories,
            tables: self.tables,
            records: CORE_INSTANCE.saturating_add(cells.saturating_mul(CELL)),
            initial: self.initial,
        }
    }

    fn read(&mut self, payload: Payload<'_>) -> Result<(), BinaryReaderError> {
        match payload {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    import?;
                    self.cells += IMPORT_CELLS;
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    let memory = memory?;
                    let page = 1_u64 << memory.page_size_log2.unwrap_or(16);
                    self.memories += 1;
                    self.cells += MEMORY_CELLS;
                    self.initial = self.initial.saturating_add(memory.initial.saturating_mul(page));
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    let elements = table?.ty.initial;
                    self.tables += 1;
                    self.cells += 1;
                    self.initial = self
                        .initial
                        .saturating_add(elements.saturating_mul(TABLE_ELEMENT));
                }
            }
            Payload::GlobalSection(section) => {
                for global in section {
                    self.cells += 1;
                    self.refer(&global?.init_expr)?;
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    if export.kind == ExternalKind::Func {
                        self.referred.insert(export.index);
                    }
                }
            }
            Payload::ElementSection(section) => {
                for element in section {
                    let element = element?;
                    if let ElementKind::Passive = element.kind {
                        // Every instance has its own, until it drops it.
                        self.cells += items(&element.items);
                    }
                    self.elements(element.items)?;
                }
            }
            Payload::TagSection(section) => self.cells += u64::from(section.count()),
            Payload::DataSection(section) => self.cells += u64::from(section.count()),
            Payload::StartSection { .. } => self.cells += START_CELLS,
            _ => {}
        }
        Ok(())
    }

    fn elements(&mut self, items: ElementItems<'_>) -> Result<(), BinaryReaderError> {
        self.cells += 1;
        match items {
            ElementItems::Functions(functions) => {
                for function in functions {
                    self.referred.insert(function?);
                }
            }
            ElementItems::Expressions(_, expressions) => {
                for expression in expressions {
                    self.refer(&expression?)?;
                }
            }
        }
        Ok(())
    }

    fn refer(&mut self, expression: &ConstExpr<'_>) -> Result<(), BinaryReaderError> {
        for operator in expression.get_operators_reader() {
            if let Operator::RefFunc { function_index } = operator? {
                self.referred.insert(function_index);
            }
        }
        Ok(())
    }
}

/// A component: what it can instantiate, and what it does.
#[derive(Debug, Default)]
struct Component {
    modules: Vec<Footprint>,
    components: Vec<Footprint>,
    total: Footprint,
    /// Functions lifted, lowered or built in.
    crossings: u64,
    /// It instantiates components that have core instances: the engine puts adapters between them.
    composed: bool,
}

impl Component {
    fn footprint(mut self) -> Footprint {
        self.total.records = self
            .total
            .records
            .saturating_add(COMPONENT_INSTANCE)
            .saturating_add(self.crossings.saturating_mul(CROSSING));
        if self.composed {
            // How many adapters is the engine's to say.
            self.total.core_instances = CORE_INSTANCES_PER_COMPONENT;
            let adapters = u64::from(CORE_INSTANCES_PER_COMPONENT) * CORE_INSTANCE;
            self.total.records = self.total.records.saturating_add(adapters);
        }
        self.total
    }

    fn read(&mut self, payload: Payload<'_>, around: &[Scope]) -> Result<(), BinaryReaderError> {
        match payload {
            Payload::InstanceSection(section) => {
                for instance in section {
                    if let Instance::Instantiate { module_index, .. } = instance? {
                        self.total.add(at(&self.modules, module_index));
                    }
                }
            }
            Payload::ComponentInstanceSection(section) => {
                for instance in section {
                    if let ComponentInstance::Instantiate { component_index, .. } = instance? {
                        let inner = at(&self.components, component_index);
                        self.composed |= inner.core_instances > 0;
                        self.total.add(inner);
                    }
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section {
                    self.alias(&alias?, around);
                }
            }
            Payload::ComponentImportSection(section) => {
                for import in section {
                    match import?.ty {
                        ComponentTypeRef::Module(_) => self.modules.push(Footprint::UNKNOWN),
                        ComponentTypeRef::Component(_) => self.components.push(Footprint::UNKNOWN),
                        _ => {}
                    }
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    let export = export?;
                    // An export is an item of its own in the index space.
                    match export.kind {
                        ComponentExternalKind::Module => self.modules.push(at(&self.modules, export.index)),
                        ComponentExternalKind::Component => {
                            self.components.push(at(&self.components, export.index));
                        }
                        _ => {}
                    }
                }
            }
            Payload::ComponentCanonicalSection(section) => self.crossings += u64::from(section.count()),
            _ => {}
        }
        Ok(())
    }

    fn alias(&mut self, alias: &ComponentAlias<'_>, around: &[Scope]) {
        match alias {
            ComponentAlias::InstanceExport {
                kind: ComponentExternalKind::Module,
                ..
            } => self.modules.push(Footprint::UNKNOWN),
            ComponentAlias::InstanceExport {
                kind: ComponentExternalKind::Component,
                ..
            } => self.components.push(Footprint::UNKNOWN),
            ComponentAlias::Outer { kind, count, index } => {
                let outer = usize::try_from(*count).ok().and_then(|count| {
                    let outer = around.len().checked_sub(count)?;
                    match around.get(outer) {
                        Some(Scope::Component(component)) => Some(component),
                        _ => None,
                    }
                });
                match kind {
                    ComponentOuterAliasKind::CoreModule => {
                        let items = outer.map_or(&self.modules, |outer| &outer.modules);
                        self.modules.push(at(items, *index));
                    }
                    ComponentOuterAliasKind::Component => {
                        let items = outer.map_or(&self.components, |outer| &outer.components);
                        self.components.push(at(items, *index));
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
}

fn items(of: &ElementItems<'_>) -> u64 {
    u64::from(match of {
        ElementItems::Functions(functions) => functions.count(),
        ElementItems::Expressions(_, expressions) => expressions.count(),
    })
}

fn at(items: &[Footprint], index: u32) -> Footprint {
    usize::try_from(index)
        .ok()
        .and_then(|index| items.get(index))
        .copied()
        .unwrap_or(Footprint::UNKNOWN)
}

#[cfg(test)]
mod tests;
