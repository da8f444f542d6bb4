//! Where the nodes of a graph stand: layers by the longest path, order by barycentres, height by least squares.
//!
//! After Sugiyama, Tagawa and Toda (1981), with Gansner et al. (1993) for the bends of long edges.

mod order;
pub(super) mod row;

use order::{Cell, Grid};

/// What has to find room.
pub struct Sizes {
    /// All nodes have one height, or the lines of a layer would not meet.
    pub height: f64,
    pub widths: Vec<f64>,
    /// The width of each edge's label, 0 where it has none.
    pub labels: Vec<f64>,
}

pub struct Layout {
    pub width: f64,
    pub height: f64,
    /// One for each node.
    pub places: Vec<Place>,
    /// One for each edge.
    pub paths: Vec<Path>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Place {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

pub struct Path {
    /// SVG path data of the line, and of the arrow's head.
    pub line: String,
    pub head: String,
    /// Where a label has room.
    pub middle: (f64, f64),
}

/// Between two layers, between two neighbours of a layer, around everything.
const LAYER_GAP: f64 = 44.0;
pub(super) const ROW_GAP: f64 = 12.0;
const MARGIN: f64 = 6.0;
/// How deep an edge that leads back hangs below the lowest node.
const LOOP_DEPTH: f64 = 28.0;

/// Places nodes 0..n and the edges between them. Edges that would close a circle are drawn, but move nothing.
pub fn layout(sizes: &Sizes, edges: &[(usize, usize)]) -> Layout {
    let layers = layers(sizes.widths.len(), edges);
    let mut grid = Grid::new(&layers, edges);
    grid.reduce_crossings();
    let middles = row::middles(&grid, sizes.height);
    let columns = columns(sizes, &layers, edges);
    let places = (0..layers.len()).map(|node| {
        let (x, width) = columns[layers[node]];
        Place { x, width, y: middles[grid.of_node(node)] - sizes.height / 2.0, height: sizes.height }
    });
    let places: Vec<Place> = places.collect();
    let paths = (0..edges.len()).map(|edge| path(edge, edges, &grid, &middles, &columns, &places)).collect();
    finish(places, paths, edges, &layers, &middles)
}

/// The layer of each node: one more than the highest of its parents.
///
/// In a circle somebody has to be first: the node that comes first in the list, as if its open parents were not there.
pub(super) fn layers(nodes: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut open_parents = vec![0_usize; nodes];
    let mut children = vec![Vec::new(); nodes];
    for &(from, to) in edges {
        open_parents[to] += 1;
        children[from].push(to);
    }
    let mut layer = vec![0_usize; nodes];
    let mut placed = vec![false; nodes];
    for _ in 0..nodes {
        let next = (0..nodes).filter(|&n| !placed[n]).min_by_key(|&n| (open_parents[n] > 0, n));
        let Some(node) = next else { break };
        placed[node] = true;
        for &child in children[node].iter().filter(|&&child| !placed[child]) {
            open_parents[child] -= 1;
            layer[child] = layer[child].max(layer[node] + 1);
        }
    }
    layer
}

/// The left end and the width of each layer; a gap is as wide as the labels in it.
fn columns(sizes: &Sizes, layers: &[usize], edges: &[(usize, usize)]) -> Vec<(f64, f64)> {
    let count = layers.iter().max().map_or(0, |last| last + 1);
    let mut widths = vec![0.0_f64; count];
    let mut gaps = vec![LAYER_GAP; count];
    for (node, &layer) in layers.iter().enumerate() {
        widths[layer] = widths[layer].max(sizes.widths[node]);
    }
    for (&(from, _), label) in edges.iter().zip(&sizes.labels) {
        if *label > 0.0 {
            gaps[layers[from]] = gaps[layers[from]].max(label + 28.0);
        }
    }
    let mut x = MARGIN;
    let mut columns = Vec::with_capacity(count);
    for (width, gap) in widths.into_iter().zip(gaps) {
        columns.push((x, width));
        x += width + gap;
    }
    columns
}

fn path(
    edge: usize,
    edges: &[(usize, usize)],
    grid: &Grid,
    middles: &[f64],
    columns: &[(f64, f64)],
    places: &[Place],
) -> Path {
    let (from, to) = (places[edges[edge].0], places[edges[edge].1]);
    let Some(bends) = grid.bends(edge) else {
        let lowest = places.iter().map(|place| place.y + place.height).fold(0.0, f64::max);
        return backward(from, to, lowest + LOOP_DEPTH);
    };
    let start = (from.x + from.width, from.y + from.height / 2.0);
    let end = (to.x, to.y + to.height / 2.0);
    let mut line = format!("M{:.1} {:.1}", start.0, start.1);
    let mut at = start;
    let mut middle = None;
    for &Cell { layer, index } in bends {
        let (x, width) = columns[layer];
        let y = middles[index];
        middle.get_or_insert(((at.0 + x) / 2.0, (at.1 + y) / 2.0));
        line += &format!("{}H{:.1}", curve(at, (x, y)), x + width);
        at = (x + width, y);
    }
    line += &curve(at, (end.0 - 2.0, end.1));
    let middle = middle.unwrap_or(((at.0 + end.0) / 2.0, (at.1 + end.1) / 2.0));
    Path { line, head: head(end), middle }
}

/// Leaves and arrives level, so that lines of one node leave it as a bundle.
fn curve(from: (f64, f64), to: (f64, f64)) -> String {
    if (from.1 - to.1).abs() < 0.5 {
        return format!("L{:.1} {:.1}", to.0, to.1);
    }
    let half = (from.0 + to.0) / 2.0;
    format!("C{half:.1} {:.1} {half:.1} {:.1} {:.1} {:.1}", from.1, to.1, to.0, to.1)
}

fn head((x, y): (f64, f64)) -> String {
    format!("M{:.1} {:.1}l-7 -3.5v7z", x - 1.0, y)
}

/// An edge against the direction goes round below everything.
fn backward(from: Place, to: Place, depth: f64) -> Path {
    let (start, end) = (from.x + from.width / 2.0, to.x + to.width / 2.0);
    let (leaves, arrives) = (from.y + from.height, to.y + to.height);
    let line = format!(
        "M{start:.1} {leaves:.1}C{start:.1} {depth:.1} {end:.1} {depth:.1} {end:.1} {:.1}",
        arrives + 2.0
    );
    let head = format!("M{end:.1} {:.1}l-3.5 7h7z", arrives + 1.0);
    Path { line, head, middle: ((start + end) / 2.0, depth - 8.0) }
}

/// Moves everything to the top and measures the whole.
fn finish(
    places: Vec<Place>,
    paths: Vec<Path>,
    edges: &[(usize, usize)],
    layers: &[usize],
    middles: &[f64],
) -> Layout {
    let width = places.iter().map(|place| place.x + place.width).fold(0.0, f64::max) + MARGIN;
    let low = places.iter().map(|place| place.y + place.height).fold(0.0, f64::max);
    let bend = middles.iter().copied().fold(0.0, f64::max);
    let loops = edges.iter().any(|&(from, to)| layers[from] >= layers[to]);
    let height = low.max(bend) + if loops { LOOP_DEPTH } else { 0.0 } + MARGIN;
    Layout { width, height, places, paths }
}
