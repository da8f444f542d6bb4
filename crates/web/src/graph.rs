//! A graph of tasks or processes as one SVG, layered from left to right, with its text beside it.

mod layout;

use crate::{format, state::State, state::shape};
use layout::{Layout, Place, Sizes};
use maud::{Markup, html};
use std::collections::HashMap;

/// A picture of more nodes than this says nothing, so only the list is shown.
pub const NODES_MAX: usize = 400;

/// A task, a topic, a process.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// Unique in the graph. The element's id is `<graph>-<node>`.
    pub id: String,
    pub label: String,
    pub href: Option<String>,
    pub state: Option<State>,
    /// A second line: a duration, a rate.
    pub note: Option<String>,
}

/// An edge between two nodes, by their ids. One that names no node is left out.
#[derive(Clone, Debug, Default)]
pub struct Edge {
    pub from: String,
    pub to: String,
    /// Rate and lag, or why it is taken.
    pub label: Option<String>,
}

/// Shows nodes and edges. Arrow keys move along the edges; the same is told as a list below.
pub fn graph(id: &str, label: &str, nodes: &[Node], edges: &[Edge]) -> Markup {
    let links = Links::new(nodes, edges);
    html! {
        figure class="graph" id=(id) {
            @if nodes.len() <= NODES_MAX { (picture(id, label, nodes, edges, &links)) }
            @else { p class="muted" { (format::count(nodes.len() as u64)) " nodes are too many for a picture. The list has them all." } }
            details open[nodes.len() > NODES_MAX] { summary { "The graph as a list" } (list(nodes, &links)) }
        }
    }
}

/// Which node leads to which, by their places in the slice.
struct Links {
    /// From, to, and the edge that says so.
    pairs: Vec<(usize, usize, usize)>,
}

impl Links {
    fn new(nodes: &[Node], edges: &[Edge]) -> Self {
        let index: HashMap<&str, usize> =
            nodes.iter().enumerate().map(|(at, node)| (node.id.as_str(), at)).collect();
        let known = |id: &str| index.get(id).copied();
        let pairs =
            edges.iter().enumerate().filter_map(|(edge, e)| Some((known(&e.from)?, known(&e.to)?, edge)));
        // A node does not lead to itself: there is no room for such an edge, and a DAG has none.
        Self { pairs: pairs.filter(|(from, to, _)| from != to).collect() }
    }

    fn children(&self, node: usize) -> Vec<usize> {
        self.pairs.iter().filter(|pair| pair.0 == node).map(|pair| pair.1).collect()
    }

    fn parents(&self, node: usize) -> Vec<usize> {
        self.pairs.iter().filter(|pair| pair.1 == node).map(|pair| pair.0).collect()
    }
}

/// The width of a letter at 13 px, and at 12 px for notes and edges: wide enough for most fonts; what is longer is cut.
const LETTER: f64 = 7.4;
const SMALL_LETTER: f64 = 6.8;
const LABEL_MAX: usize = 28;

fn picture(id: &str, label: &str, nodes: &[Node], edges: &[Edge], links: &Links) -> Markup {
    let height = if nodes.iter().any(|node| node.note.is_some()) { 44.0 } else { 32.0 };
    let sizes = Sizes {
        height,
        widths: nodes.iter().map(width).collect(),
        labels: links.pairs.iter().map(|pair| edges[pair.2].label.as_deref().map_or(0.0, small)).collect(),
    };
    let pairs: Vec<_> = links.pairs.iter().map(|&(from, to, _)| (from, to)).collect();
    let drawn = layout::layout(&sizes, &pairs);
    let (w, h) = (drawn.width.ceil(), drawn.height.ceil());
    html! {
        div class="scroll" {
            svg width=(w) height=(h) viewBox=(format!("0 0 {w} {h}")) role="group" aria-label=(label) {
                @for (path, pair) in drawn.paths.iter().zip(&links.pairs) { (edge(path, &edges[pair.2])) }
                @for (at, each) in nodes.iter().enumerate() { (node(id, each, at, nodes, links, &drawn)) }
            }
        }
    }
}

fn width(node: &Node) -> f64 {
    let icon = if node.state.is_some() { 18.0 } else { 0.0 };
    let label = node.label.chars().count().min(LABEL_MAX) as f64 * LETTER;
    let note = node.note.as_deref().map_or(0.0, small);
    (label.max(note) + icon + 24.0).max(88.0)
}

fn small(text: &str) -> f64 {
    text.chars().count().min(LABEL_MAX) as f64 * SMALL_LETTER
}

fn edge(path: &layout::Path, edge: &Edge) -> Markup {
    html! {
        path class="edge" d=(path.line) {}
        path class="head" d=(path.head) {}
        @if let Some(label) = &edge.label {
            text class="num" x=(path.middle.0.round()) y=(path.middle.1.round() - 5.0) text-anchor="middle" { (cut(label)) }
        }
    }
}

fn node(graph: &str, node: &Node, at: usize, nodes: &[Node], links: &Links, drawn: &Layout) -> Markup {
    let name = |at: &usize| nodes[*at].label.as_str();
    let children = links.children(at);
    let leads = children.iter().map(name).collect::<Vec<_>>().join(", ");
    let state = node.state.map_or(String::new(), |state| format!(", {}", state.word()));
    let spoken = format!("{}{state}{}{leads}", node.label, if leads.is_empty() { "" } else { ", leads to " });
    let join = |list: Vec<usize>| list.iter().map(usize::to_string).collect::<Vec<_>>().join(" ");
    html! {
        // Without a link it is a group, which a keyboard reaches all the same.
        a class={ "node " (node.state.map_or("grey", State::hue)) } id={ (graph) "-" (node.id) }
            href=[node.href.as_deref()] role=[node.href.is_none().then_some("img")] tabindex="0" aria-label=(spoken)
            data-node=(at) data-to=(join(children)) data-from=(join(links.parents(at))) {
            title { (node.label) (state) }
            (inside(node, &drawn.places[at]))
        }
    }
}

fn inside(node: &Node, place: &Place) -> Markup {
    let (x, y, middle) = (place.x.round(), place.y.round(), (place.y + place.height / 2.0).round());
    let text = x + if node.state.is_some() { 30.0 } else { 12.0 };
    let label_y = if node.note.is_some() { middle - 4.0 } else { middle + 4.5 };
    html! {
        rect x=(x + 0.5) y=(y + 0.5) width=(place.width.round() - 1.0) height=(place.height - 1.0) rx="4" {}
        @if let Some(state) = node.state { svg x=(x + 11.0) y=(middle - 6.0) width="12" height="12" { (shape(state)) } }
        text x=(text) y=(label_y) { (cut(&node.label)) }
        @if let Some(note) = &node.note { text class="note num" x=(text) y=(middle + 12.0) { (cut(note)) } }
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= LABEL_MAX {
        return text.to_owned();
    }
    text.chars().take(LABEL_MAX - 1).chain(['…']).collect()
}

fn list(nodes: &[Node], links: &Links) -> Markup {
    html! {
        ol {
            @for (at, node) in nodes.iter().enumerate() {
                li {
                    @match &node.href { Some(href) => a href=(href) { (node.label) }, None => (node.label) }
                    @if let Some(state) = node.state { " " (crate::state::state(state)) }
                    @if let Some(note) = &node.note { " " span class="muted" { (note) } }
                    @let parents = links.parents(at);
                    @if !parents.is_empty() {
                        span class="muted" { " after " (parents.iter().map(|&p| nodes[p].label.as_str()).collect::<Vec<_>>().join(", ")) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
