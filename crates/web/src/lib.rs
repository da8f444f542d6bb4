//! The look of all pages: tokens, layout, components, script.
//!
//! A process builds a [`Page`] from components and answers with it; [`assets()`] serves the style sheet and the script
//! that the page names, [`loopback_only`] keeps foreign sites out, and [`live::stream`] sends the patches that keep an
//! open page true. Nothing here knows what a DAG, a topic or a job is.
//!
//! `cargo run -p web --example gallery > gallery.html` shows every component on one page.

pub mod assets;
pub mod chart;
pub mod format;
pub mod graph;
pub mod guard;
pub mod live;
pub mod page;
pub mod part;
pub mod state;
pub mod table;
pub mod value;

pub use assets::assets;
pub use chart::{Chart, Series, bar, chart, sparkline};
pub use graph::{Edge, Node, graph};
pub use guard::loopback_only;
pub use live::Patch;
pub use page::{NavItem, Page};
pub use part::{
    Figure, Notice, Target, actions, button, code, confirm, crumbs, empty, figures, key_value, notice,
    palette, section, tabs,
};
pub use state::{State, mark, state, state_as, tally};
pub use table::{Header, Row, filter, table};
pub use value::{bytes, count, duration, elapsed, id, id_link, rate, time};
