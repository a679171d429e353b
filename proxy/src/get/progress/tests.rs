use super::*;

const MIB: u64 = 1 << 20;

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn one(down: u64, down_of: Option<u64>) -> Snapshot {
    Snapshot { down, down_of, all: 1, ..Snapshot::default() }
}

#[test]
fn lines_of_a_meter() {
    let up = Snapshot { up: MIB, up_of: Some(4 * MIB), all: 1, ..Snapshot::default() };
    let many = Snapshot { done: 3, all: 10, ..one(7 * MIB, None) };
    let unknown = one(1_500, None);
    // After 2 s, all of it within them.
    for (now, line) in [
        (one(3 * MIB, Some(12 * MIB)), " 25%  3.0 MiB of 12.0 MiB  1.5 MiB/s  0:06 left"),
        (one(0, Some(12 * MIB)), "  0%  0 B of 12.0 MiB  0 B/s  0:02"),
        (one(MIB, Some(9 << 40)), "  0%  1.0 MiB of 9.0 TiB  512.0 KiB/s  5242:52:46 left"),
        (unknown, "1.4 KiB  750 B/s  0:02"),
        (up, " 25%  1.0 MiB sent  512.0 KiB/s  0:06 left"),
        (many, "3 of 10 done  7.0 MiB  3.5 MiB/s  0:02"),
    ] {
        let mut meter = Meter::new(Style::Meter, 80);
        assert_eq!(meter.draw(at(0), &one(0, None)), None);
        assert_eq!(meter.draw(at(2_000), &now).as_deref(), Some(line));
    }
}

#[test]
fn a_bar_fills_its_line_and_leaves_the_last_column() {
    for (down, bar) in [
        (0, "                0.0%"),
        (500, "######         50.0%"),
        (1_000, "############# 100.0%"),
        (2_000, "############# 100.0%"),
    ] {
        let mut meter = Meter::new(Style::Bar, 21);
        let line = meter.draw(at(600), &one(down, Some(1_000))).unwrap();
        assert_eq!(line.len(), 20, "{line:?}");
        assert_eq!(line.trim_end(), bar.trim_end(), "{down}");
    }
    // Where nobody knows how long it is there are numbers.
    let line = Meter::new(Style::Bar, 21).draw(at(600), &one(5, None)).unwrap();
    assert_eq!(line, "5 B  0 B/s  0:00");
}

#[test]
fn short_transfers_draw_nothing_and_narrow_terminals_cut() {
    let mut meter = Meter::new(Style::Meter, 10);
    assert_eq!(meter.draw(at(400), &one(1, Some(2))), None);
    assert_eq!(meter.draw(at(500), &one(1, Some(2))).unwrap(), " 50%  1 B");
    let over = Snapshot { done: 1, ..one(2, Some(2)) };
    assert_eq!(meter.draw(at(600), &over), None);
}

/// What came long ago says nothing of how fast it comes now.
#[test]
fn the_speed_is_that_of_the_last_seconds() {
    let mut meter = Meter::new(Style::Meter, 80);
    for second in 0..20 {
        let down = if second < 10 { second * MIB } else { 10 * MIB };
        let line = meter.draw(at(second * 1_000), &one(down, None));
        match second {
            9 => assert!(line.unwrap().contains("1.0 MiB/s")),
            19 => assert!(line.unwrap().contains(" 0 B/s")),
            _ => {}
        }
    }
}

#[test]
fn a_board_adds_up_what_goes_on_at_the_same_time() {
    let board = Board::default();
    let sent = Arc::new(AtomicU64::new(0));
    let first = board.begin(Arc::clone(&sent), Some(0));
    first.expect(100);
    first.came(40);
    let now = board.snapshot(2);
    assert_eq!((now.down, now.down_of, now.done), (40, None, 0), "another is to come");
    let second = board.begin(Arc::default(), Some(0));
    assert_eq!(board.snapshot(2).down_of, None, "its length is not known yet");
    second.expect(1_000);
    assert_eq!(board.snapshot(2).down_of, Some(1_100));
    first.came(60);
    board.end(&first);
    board.done();
    let now = board.snapshot(2);
    assert_eq!((now.down, now.down_of, now.done), (100, Some(1_100), 1));
    sent.store(7, Ordering::Relaxed);
    assert_eq!(board.snapshot(2).up, 0, "what is over is counted once");
}
