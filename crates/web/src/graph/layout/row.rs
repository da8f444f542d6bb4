//! The height of every cell: as near to its neighbours as the order and the distances allow.

use super::{MARGIN, ROW_GAP, order::Grid};

/// How often the layers are moved towards each other, there and back.
const SWEEPS: usize = 12;
/// The room that an edge takes when it passes through a layer.
const BEND_HEIGHT: f64 = 6.0;

/// The middle of each cell, measured from the top of the picture.
pub fn middles(grid: &Grid, height: f64) -> Vec<f64> {
    let mut middles = vec![0.0; grid.left.len()];
    for layer in 0..grid.layers.len() {
        settle(grid, layer, height, &mut middles, |_, _| None);
    }
    for sweep in 0..SWEEPS {
        for step in 0..grid.layers.len() {
            let by_left = sweep % 2 == 0;
            let layer = if by_left { step } else { grid.layers.len() - 1 - step };
            settle(grid, layer, height, &mut middles, |cell, middles| {
                mean(if by_left { &grid.left[cell] } else { &grid.right[cell] }, middles)
            });
        }
    }
    let top = middles.iter().copied().fold(f64::INFINITY, f64::min) - height / 2.0;
    middles.iter().map(|middle| middle - top + MARGIN).collect()
}

fn mean(cells: &[usize], middles: &[f64]) -> Option<f64> {
    (!cells.is_empty()).then(|| cells.iter().map(|&cell| middles[cell]).sum::<f64>() / cells.len() as f64)
}

/// Moves the cells of a layer to where they wish to be, in their order and at their distances.
///
/// With each cell's least distance from the first one taken off, "in order and apart" becomes "not falling", and the
/// nearest such row is found by pooling neighbours that fall.
fn settle(
    grid: &Grid,
    layer: usize,
    height: f64,
    middles: &mut [f64],
    wish: impl Fn(usize, &[f64]) -> Option<f64>,
) {
    let cells = &grid.layers[layer];
    let room = |cell: usize| if grid.is_bend(cell) { BEND_HEIGHT } else { height };
    let mut offsets = Vec::with_capacity(cells.len());
    let mut offset = 0.0;
    for (at, &cell) in cells.iter().enumerate() {
        if at > 0 {
            offset += (room(cells[at - 1]) + room(cell)) / 2.0 + ROW_GAP;
        }
        offsets.push(offset);
    }
    let wishes: Vec<f64> = cells
        .iter()
        .zip(&offsets)
        .map(|(&cell, offset)| wish(cell, middles).unwrap_or(middles[cell]) - offset)
        .collect();
    for ((&cell, offset), place) in cells.iter().zip(&offsets).zip(not_falling(&wishes)) {
        middles[cell] = place + offset;
    }
}

/// The row nearest to `wishes`, by least squares, in which nothing falls (pool adjacent violators).
pub fn not_falling(wishes: &[f64]) -> Vec<f64> {
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for &wish in wishes {
        pools.push((wish, 1));
        while let [.., (before, many), (after, more)] = pools[..] {
            if before <= after {
                break;
            }
            let all = many + more;
            pools.truncate(pools.len() - 2);
            pools.push(((before * many as f64 + after * more as f64) / all as f64, all));
        }
    }
    pools.into_iter().flat_map(|(value, many)| std::iter::repeat_n(value, many)).collect()
}
