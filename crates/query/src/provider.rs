//! What DataFusion's planner asks for: the streams, the functions, and how `tumble(…)` is planned.

use std::{collections::HashMap, sync::Arc};

use arrow::datatypes::{DataType, SchemaRef};
use datafusion_common::{Result, TableReference, config::ConfigOptions, plan_err};
use datafusion_expr::{
    AggregateUDF, HigherOrderUDF, ScalarUDF, TableSource, Volatility, WindowUDF,
    planner::{ContextProvider, ExprPlanner, RelationPlanner},
};

use crate::window::WindowFunctions;

pub(crate) struct Provider {
    streams: HashMap<String, Arc<dyn TableSource>>,
    scalars: HashMap<String, Arc<ScalarUDF>>,
    aggregates: HashMap<String, Arc<AggregateUDF>>,
    windows: HashMap<String, Arc<WindowUDF>>,
    expressions: Vec<Arc<dyn ExprPlanner>>,
    relations: Vec<Arc<dyn RelationPlanner>>,
    options: ConfigOptions,
}

/// Only a schema. DataFusion's own logical source takes every filter upon itself, and the Filter node vanishes.
#[derive(Debug)]
struct Stream(SchemaRef);

impl TableSource for Stream {
    fn schema(&self) -> SchemaRef {
        self.0.clone()
    }
}

impl Provider {
    pub(crate) fn new() -> Self {
        let scalars = datafusion_functions::all_default_functions()
            .into_iter()
            .chain(datafusion_functions_nested::all_default_nested_functions());
        Self {
            streams: HashMap::new(),
            scalars: by_name(scalars, |f| (f.name(), f.aliases())),
            aggregates: by_name(datafusion_functions_aggregate::all_default_aggregate_functions(), |f| {
                (f.name(), f.aliases())
            }),
            windows: by_name(datafusion_functions_window::all_default_window_functions(), |f| {
                (f.name(), f.aliases())
            }),
            expressions: expression_planners(),
            relations: vec![Arc::new(WindowFunctions)],
            options: ConfigOptions::default(),
        }
    }

    pub(crate) fn add_stream(&mut self, name: &str, schema: SchemaRef) {
        self.streams.insert(name.to_owned(), Arc::new(Stream(schema)));
    }

    /// Whether a scalar function gives another answer tomorrow; `None` where there is no such function.
    pub(crate) fn varies(&self, function: &str) -> Option<bool> {
        self.scalars.get(function).map(|f| f.signature().volatility != Volatility::Immutable)
    }

    pub(crate) fn is_aggregate(&self, function: &str) -> bool {
        self.aggregates.contains_key(function)
    }
}

/// The planners in the order in which they are asked; `count(*)` becomes `count(1)` in the aggregates' one.
fn expression_planners() -> Vec<Arc<dyn ExprPlanner>> {
    vec![
        Arc::new(datafusion_functions::core::planner::CoreFunctionPlanner::default()),
        Arc::new(datafusion_functions_nested::planner::NestedFunctionPlanner),
        Arc::new(datafusion_functions_nested::planner::FieldAccessPlanner),
        Arc::new(datafusion_functions::unicode::planner::UnicodeFunctionPlanner),
        Arc::new(datafusion_functions::datetime::planner::DatetimeFunctionPlanner),
        Arc::new(datafusion_functions_aggregate::planner::AggregateFunctionPlanner),
        Arc::new(datafusion_functions_window::planner::WindowFunctionPlanner),
    ]
}

fn by_name<F>(
    functions: impl IntoIterator<Item = Arc<F>>,
    names: impl Fn(&F) -> (&str, &[String]),
) -> HashMap<String, Arc<F>> {
    let mut all = HashMap::new();
    for function in functions {
        let (name, aliases) = names(&function);
        for name in std::iter::once(name.to_owned()).chain(aliases.iter().cloned()) {
            all.insert(name, Arc::clone(&function));
        }
    }
    all
}

impl ContextProvider for Provider {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        match self.streams.get(name.table()) {
            Some(stream) => Ok(Arc::clone(stream)),
            None => plan_err!("the stream {name} is not declared"),
        }
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.expressions
    }

    fn get_relation_planners(&self) -> &[Arc<dyn RelationPlanner>] {
        &self.relations
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.scalars.get(name).cloned()
    }

    fn get_higher_order_meta(&self, _name: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.aggregates.get(name).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.windows.get(name).cloned()
    }

    fn get_variable_type(&self, _names: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &self.options
    }

    fn udf_names(&self) -> Vec<String> {
        self.scalars.keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.aggregates.keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        self.windows.keys().cloned().collect()
    }
}
