//! The order of nodes and bends within each layer, with few crossings.

/// How often the layers are ordered by their neighbours, there and back. More changes nothing on graphs of our size.
const SWEEPS: usize = 8;

/// A node, or a bend of an edge that passes through a layer, by its index in the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    pub layer: usize,
    pub index: usize,
}

/// All cells, layer by layer. Node n is cell n; the bends come after the nodes.
pub struct Grid {
    /// The cells of each layer, from above.
    pub layers: Vec<Vec<usize>>,
    /// The neighbours of each cell, one layer to the left and one to the right.
    pub left: Vec<Vec<usize>>,
    pub right: Vec<Vec<usize>>,
    nodes: usize,
    /// The bends of each edge; none for one that leads back.
    bends: Vec<Option<Vec<Cell>>>,
}

impl Grid {
    pub fn new(layer_of: &[usize], edges: &[(usize, usize)]) -> Self {
        let nodes = layer_of.len();
        let mut layers = vec![Vec::new(); layer_of.iter().max().map_or(0, |last| last + 1)];
        for (node, &layer) in layer_of.iter().enumerate() {
            layers[layer].push(node);
        }
        let mut grid =
            Self { layers, left: vec![vec![]; nodes], right: vec![vec![]; nodes], nodes, bends: Vec::new() };
        for &(from, to) in edges {
            let bends = (layer_of[from] < layer_of[to])
                .then(|| grid.lead(from, to, layer_of[from] + 1..layer_of[to]));
            grid.bends.push(bends);
        }
        grid
    }

    /// The cell of a node.
    pub fn of_node(&self, node: usize) -> usize {
        node
    }

    pub fn is_bend(&self, cell: usize) -> bool {
        cell >= self.nodes
    }

    /// The bends of an edge from left to right, or nothing for one that leads back.
    pub fn bends(&self, edge: usize) -> Option<&[Cell]> {
        self.bends[edge].as_deref()
    }

    fn lead(&mut self, from: usize, to: usize, through: std::ops::Range<usize>) -> Vec<Cell> {
        let mut at = from;
        let mut bends = Vec::new();
        for layer in through {
            let index = self.left.len();
            self.left.push(vec![]);
            self.right.push(vec![]);
            self.layers[layer].push(index);
            self.join(at, index);
            bends.push(Cell { layer, index });
            at = index;
        }
        self.join(at, to);
        bends
    }

    fn join(&mut self, from: usize, to: usize) {
        self.right[from].push(to);
        self.left[to].push(from);
    }

    /// Orders each layer by the mean place of its neighbours, to and fro, and keeps the best order seen.
    pub fn reduce_crossings(&mut self) {
        let mut best = (self.crossings(), self.layers.clone());
        for sweep in 0..SWEEPS {
            if sweep % 2 == 0 {
                (1..self.layers.len()).for_each(|layer| self.sort(layer, layer - 1, true));
            } else {
                (0..self.layers.len().saturating_sub(1))
                    .rev()
                    .for_each(|layer| self.sort(layer, layer + 1, false));
            }
            let crossings = self.crossings();
            if crossings < best.0 {
                best = (crossings, self.layers.clone());
            }
        }
        self.layers = best.1;
    }

    fn sort(&mut self, layer: usize, fixed: usize, by_left: bool) {
        let place = self.places(fixed);
        let own = self.places(layer);
        let mean = |cell: usize| {
            let neighbours = if by_left { &self.left[cell] } else { &self.right[cell] };
            match neighbours.len() {
                // Without neighbours it stays where it is.
                0 => own[cell] as f64,
                n => neighbours.iter().map(|&other| place[other] as f64).sum::<f64>() / n as f64,
            }
        };
        let mut cells: Vec<(f64, usize)> =
            self.layers[layer].iter().map(|&cell| (mean(cell), cell)).collect();
        cells.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.layers[layer] = cells.into_iter().map(|(_, cell)| cell).collect();
    }

    /// Where each cell of a layer stands in it; the other cells' entries mean nothing.
    fn places(&self, layer: usize) -> Vec<usize> {
        let mut places = vec![0; self.left.len()];
        for (at, &cell) in self.layers[layer].iter().enumerate() {
            places[cell] = at;
        }
        places
    }

    /// How many pairs of edges cross.
    pub fn crossings(&self) -> usize {
        (1..self.layers.len()).map(|layer| self.crossings_before(layer)).sum()
    }

    fn crossings_before(&self, layer: usize) -> usize {
        let place = self.places(layer - 1);
        let mut ends: Vec<usize> = Vec::new();
        let mut crossings = 0;
        for &cell in &self.layers[layer] {
            let here: Vec<usize> = self.left[cell].iter().map(|&other| place[other]).collect();
            crossings +=
                here.iter().map(|&end| ends.iter().filter(|&&above| above > end).count()).sum::<usize>();
            ends.extend(here);
        }
        crossings
    }
}
