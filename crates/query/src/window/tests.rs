use super::Windows;

#[test]
fn an_instant_is_in_the_window_that_starts_at_or_before_it() {
    for (size_ms, offset_ms, instant, expected) in [
        (10, 0, 0, (0, 10)),
        (10, 0, 9, (0, 10)),
        (10, 0, 10, (10, 20)),
        (10, 0, -1, (-10, 0)),
        (10, 0, -10, (-10, 0)),
        (10, 3, 2, (-7, 3)),
        (10, 3, 3, (3, 13)),
        (10, -3, 7, (7, 17)),
        (10, -3, 6, (-3, 7)),
        (1, 0, 5, (5, 6)),
    ] {
        let windows = Windows::Tumble { size_ms, offset_ms };
        assert_eq!(windows.of(instant), expected, "{instant} in {windows}");
    }
}
