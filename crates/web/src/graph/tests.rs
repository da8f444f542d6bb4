use super::layout::{Place, Sizes, layers, layout, row::not_falling};
use super::*;

fn sizes(nodes: usize, edges: usize) -> Sizes {
    Sizes { height: 32.0, widths: vec![100.0; nodes], labels: vec![0.0; edges] }
}

fn places(nodes: usize, edges: &[(usize, usize)]) -> Vec<Place> {
    layout(&sizes(nodes, edges.len()), edges).places
}

#[test]
fn a_node_stands_right_of_all_its_parents() {
    for (nodes, edges, expected) in [
        (0, vec![], vec![]),
        (1, vec![], vec![0]),
        (3, vec![(0, 1), (1, 2), (0, 2)], vec![0, 1, 2]),
        (4, vec![(3, 2), (2, 1), (1, 0)], vec![3, 2, 1, 0]),
        (4, vec![(0, 1), (0, 2), (1, 3), (2, 3)], vec![0, 1, 1, 2]),
    ] {
        assert_eq!(layers(nodes, &edges), expected, "{edges:?}");
    }
}

#[test]
fn a_circle_ends_and_its_first_node_stands_first() {
    assert_eq!(layers(3, &[(0, 1), (1, 2), (2, 0)]), [0, 1, 2]);
    assert_eq!(layers(3, &[(0, 1), (1, 2), (2, 1)]), [0, 1, 2]);
}

#[test]
fn a_chain_is_one_straight_line() {
    let places = places(4, &[(0, 1), (1, 2), (2, 3)]);
    assert!(places.windows(2).all(|pair| pair[0].y == pair[1].y && pair[0].x < pair[1].x), "{places:?}");
}

#[test]
fn a_fork_stands_evenly_around_its_root() {
    let places = places(5, &[(0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 4)]);
    assert!(
        (places[0].y - places[2].y).abs() < 0.01 && (places[4].y - places[2].y).abs() < 0.01,
        "{places:?}"
    );
    assert!((places[2].y - places[1].y - (places[3].y - places[2].y)).abs() < 0.01, "{places:?}");
}

#[test]
fn crossed_pairs_are_uncrossed() {
    // 0 and 1 lead to 3 and 2: in the given order the lines would cross.
    let places = places(4, &[(0, 3), (1, 2)]);
    assert_eq!(places[0].y < places[1].y, places[3].y < places[2].y, "{places:?}");
}

#[test]
fn nodes_never_overlap_and_stay_inside_the_picture() {
    // A graph without a pattern, but the same each time: the edges come from a linear congruence.
    let mut seed = 7_u64;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    let edges: Vec<(usize, usize)> = (0..90).map(|_| (next(40), next(40))).filter(|(a, b)| a != b).collect();
    let drawn = layout(&sizes(40, edges.len()), &edges);
    for (at, a) in drawn.places.iter().enumerate() {
        assert!(
            a.x >= 0.0 && a.y >= 0.0 && a.x + a.width <= drawn.width && a.y + a.height <= drawn.height,
            "{a:?}"
        );
        for b in &drawn.places[at + 1..] {
            let apart = a.x + a.width <= b.x || b.x + b.width <= a.x || (a.y - b.y).abs() >= a.height;
            assert!(apart, "{a:?} and {b:?}");
        }
    }
}

#[test]
fn pooling_gives_the_nearest_row_that_does_not_fall() {
    assert_eq!(not_falling(&[1.0, 2.0, 3.0]), [1.0, 2.0, 3.0]);
    assert_eq!(not_falling(&[3.0, 1.0]), [2.0, 2.0]);
    assert_eq!(not_falling(&[1.0, 6.0, 3.0, 0.0, 9.0]), [1.0, 3.0, 3.0, 3.0, 9.0]);
    assert_eq!(not_falling(&[]), Vec::<f64>::new());
}

fn nodes(ids: &[&str]) -> Vec<Node> {
    let node = |id: &&str| Node { id: id.to_string(), label: id.to_string(), ..Node::default() };
    ids.iter().map(node).collect()
}

fn edges(pairs: &[(&str, &str)]) -> Vec<Edge> {
    pairs.iter().map(|(from, to)| Edge { from: from.to_string(), to: to.to_string(), label: None }).collect()
}

#[test]
fn a_graph_is_told_in_words_beside_its_picture() {
    let shown = graph("g", "Tasks", &nodes(&["fetch", "check"]), &edges(&[("fetch", "check")])).into_string();
    assert!(shown.contains("aria-label=\"fetch, leads to check\""), "{shown}");
    assert!(shown.contains("<li>check<span class=\"muted\"> after fetch</span></li>"), "{shown}");
    assert!(shown.contains("data-node=\"1\" data-to=\"\" data-from=\"0\""), "{shown}");
}

#[test]
fn an_edge_to_nowhere_or_to_itself_is_left_out() {
    let shown = graph("g", "Tasks", &nodes(&["a"]), &edges(&[("a", "a"), ("a", "gone")])).into_string();
    assert!(!shown.contains("class=\"edge\""), "{shown}");
}

#[test]
fn too_many_nodes_become_a_list() {
    let many: Vec<Node> = (0..=NODES_MAX).map(|n| Node { id: n.to_string(), ..Node::default() }).collect();
    let shown = graph("g", "Tasks", &many, &[]).into_string();
    assert!(!shown.contains("role=\"group\"") && shown.contains("<details open>"), "too long to print");
}
