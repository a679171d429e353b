//! The pipe's rules, one thread.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use std::sync::Arc;
use std::task::Wake;

use bytes::Bytes;
use regatta_core::limits::Memory;
use regatta_core::types::BodyState;

use super::{Account, Frame, Pipe, Received};

fn data(text: &'static str) -> Frame {
    Frame::Data(Bytes::from_static(text.as_bytes()))
}

fn read(pipe: &Pipe<&'static str>) -> String {
    let mut cx = Context::from_waker(Waker::noop());
    match pipe.poll_read(&mut cx) {
        Poll::Pending => "pending".to_owned(),
        Poll::Ready(Received::Frame(Frame::Data(bytes))) => {
            String::from_utf8_lossy(&bytes).into_owned()
        }
        Poll::Ready(Received::Frame(Frame::Trailers(_))) => "trailers".to_owned(),
        Poll::Ready(Received::Frame(Frame::Head(_))) => "head".to_owned(),
        Poll::Ready(Received::Frame(Frame::End)) => "end".to_owned(),
        Poll::Ready(Received::Failed(error)) => format!("failed {error:?}"),
        Poll::Ready(Received::Finished) => "finished".to_owned(),
    }
}

#[test]
fn frames_come_in_order_and_then_the_end() {
    let pipe = Pipe::new(64, 0);
    pipe.write(data("one"));
    pipe.write(data("two"));
    pipe.write(Frame::End);
    pipe.write(data("after the end is dropped"));
    let seen: Vec<_> = (0..5).map(|_| read(&pipe)).collect();
    assert_eq!(seen, ["one", "two", "end", "finished", "finished"]);
}

#[test]
fn a_failure_is_heard_behind_the_frames_and_not_after_the_end() {
    let pipe = Pipe::new(64, 0);
    pipe.write(data("one"));
    pipe.fail(Some("broken"));
    assert_eq!([read(&pipe), read(&pipe)], ["one", "failed Some(\"broken\")"]);
    let pipe = Pipe::new(64, 0);
    pipe.write(Frame::End);
    pipe.fail(Some("too late"));
    assert_eq!([read(&pipe), read(&pipe)], ["end", "finished"]);
}

#[test]
fn a_body_is_replayable_until_more_than_the_buffer_was_taken() {
    let pipe = Pipe::new(64, 4);
    assert_eq!(pipe.body_state(), BodyState::Untouched);
    pipe.write(data("abc"));
    pipe.write(data("de"));
    assert_eq!(read(&pipe), "abc");
    assert_eq!(pipe.body_state(), BodyState::Replayable);
    pipe.rewind();
    assert_eq!(pipe.body_state(), BodyState::Untouched);
    assert_eq!([read(&pipe), read(&pipe)], ["abc", "de"]);
    assert_eq!(pipe.body_state(), BodyState::Spent);
}

#[test]
fn a_rewound_body_ends_again() {
    let pipe = Pipe::new(64, 16);
    pipe.write(data("abc"));
    pipe.write(Frame::End);
    assert_eq!([read(&pipe), read(&pipe), read(&pipe)], ["abc", "end", "finished"]);
    pipe.rewind();
    assert_eq!([read(&pipe), read(&pipe), read(&pipe)], ["abc", "end", "finished"]);
}

#[test]
fn a_response_begins_with_its_head_whatever_was_written_before_it() {
    let pipe = Pipe::new(64, 0);
    pipe.await_head();
    pipe.write(data("first"));
    pipe.write(Frame::End);
    assert_eq!([read(&pipe).as_str(), &pipe.take_end().to_string()], ["pending", "false"]);
    pipe.write(Frame::Head(Box::default()));
    assert_eq!([read(&pipe), read(&pipe), read(&pipe)], ["head", "first", "end"]);
    let pipe = Pipe::new(64, 0);
    pipe.await_head();
    pipe.write(data("first"));
    pipe.fail(Some("no head comes"));
    assert_eq!(read(&pipe), "failed Some(\"no head comes\")");
}

#[test]
fn who_watches_a_reader_is_told_though_the_writer_was_told_of_room() {
    struct Counter(AtomicUsize);
    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let pipe: Pipe<&'static str> = Pipe::new(4, 0);
    let (watcher, noop) = (Arc::new(Counter(AtomicUsize::new(0))), Waker::noop());
    let waker = Waker::from(Arc::clone(&watcher));
    assert_eq!(pipe.poll_gone(&mut Context::from_waker(&waker)), Poll::Pending);
    pipe.write(data("abcd"));
    assert_eq!(pipe.poll_room(&mut Context::from_waker(noop)), Poll::Pending);
    assert_eq!(read(&pipe), "abcd");
    assert_eq!(watcher.0.load(Ordering::Relaxed), 0);
    pipe.close();
    assert_eq!(watcher.0.load(Ordering::Relaxed), 1);
}

#[test]
fn bytes_that_come_alone_wait_together() {
    let pipe: Pipe<&'static str> = Pipe::new(1 << 20, 0);
    (0..20_000).for_each(|_| assert!(pipe.write(data("x"))));
    pipe.write(Frame::End);
    let seen: Vec<_> = core::iter::repeat_with(|| read(&pipe)).take_while(|f| f != "end").collect();
    assert_eq!(seen.concat().len(), 20_000);
    assert!(seen.len() < 200, "{} frames", seen.len());
}

#[test]
fn room_comes_back_when_the_reader_takes() {
    let pipe: Pipe<&'static str> = Pipe::new(4, 0);
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(pipe.poll_room(&mut cx), Poll::Ready(Ok(())));
    pipe.write(data("abcdef"));
    assert_eq!(pipe.poll_room(&mut cx), Poll::Pending);
    assert_eq!(read(&pipe), "abcdef");
    assert_eq!(pipe.poll_room(&mut cx), Poll::Ready(Ok(())));
    assert_eq!(pipe.poll_taken(&mut cx), Some(6));
    assert_eq!(pipe.poll_taken(&mut cx), None);
    pipe.close();
    assert_eq!(pipe.poll_room(&mut cx), Poll::Ready(Err(())));
}

#[test]
fn what_nobody_reads_counts_as_taken() {
    let pipe: Pipe<&'static str> = Pipe::new(64, 0);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(pipe.write(data("abc")));
    pipe.close();
    assert_eq!(pipe.poll_taken(&mut cx), Some(3));
    assert!(!pipe.write(data("defgh")));
    assert_eq!(pipe.poll_taken(&mut cx), Some(5));
}

#[test]
fn a_reader_that_begins_to_wait_is_told_of_once_where_it_matters() {
    let pipe: Pipe<&'static str> = Pipe::new(64, 0);
    let mut cx = Context::from_waker(Waker::noop());
    pipe.await_interest();
    assert_eq!(pipe.poll_taken(&mut cx), None);
    assert_eq!([read(&pipe), read(&pipe)], ["pending", "pending"]);
    assert_eq!(pipe.poll_taken(&mut cx), Some(0));
    assert_eq!(pipe.poll_taken(&mut cx), None);
}

#[derive(Default)]
struct Told(AtomicUsize);

impl Wake for Told {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn accounted(account: &Arc<Account>, keep: usize) -> Pipe<&'static str> {
    let pipe = Pipe::new(64, keep);
    pipe.count_in(account);
    pipe
}

fn has_room(pipe: &Pipe<&'static str>) -> bool {
    pipe.poll_room(&mut Context::from_waker(Waker::noop())).is_ready()
}

#[test]
fn pipes_share_one_account_and_give_back_all_they_took() {
    let account = Arc::new(Account::new(Memory::new(1_000)));
    let (first, second) = (accounted(&account, 0), accounted(&account, 16));
    first.write(data("12345"));
    second.write(data("123"));
    assert_eq!(account.used(), 8);
    assert_eq!((read(&first).as_str(), account.used()), ("12345", 3));
    // What is kept for sending it again is held as well.
    assert_eq!((read(&second).as_str(), account.used()), ("123", 3));
    second.rewind();
    assert_eq!(account.used(), 3);
    second.write(Frame::Data(Bytes::from_static(&[b'x'; 20])));
    read(&second);
    assert_eq!(account.used(), 23);
    read(&second);
    assert_eq!((second.body_state(), account.used()), (BodyState::Spent, 0));
    first.write(data("123"));
    first.close();
    assert_eq!(account.used(), 0);
    second.write(data("123456"));
    drop(second);
    assert_eq!((account.used(), account.most()), (0, 23));
    let third = accounted(&account, 16);
    third.write(data("1234"));
    assert_eq!(third.take_back().map(|frames| frames.len()), Some(1));
    assert_eq!(account.used(), 0);
}

#[test]
fn at_the_limit_only_an_empty_pipe_takes_more() {
    let account = Arc::new(Account::new(Memory::new(8)));
    let (full, empty) = (accounted(&account, 0), accounted(&account, 0));
    full.write(data("12345678"));
    assert_eq!((has_room(&full), has_room(&empty)), (false, true));
    empty.write(data("1"));
    assert!(!has_room(&empty) && !empty.may_grow());
    // Its own reader is enough for it to go on, whatever the others do.
    let told = Arc::new(Told::default());
    let waker = Waker::from(Arc::clone(&told));
    assert!(empty.poll_room(&mut Context::from_waker(&waker)).is_pending());
    assert_eq!(read(&empty), "1");
    assert_eq!(told.0.load(Ordering::Relaxed), 1);
    assert!(has_room(&empty));
}

/// What `who` of a stream's datagrams gets: bytes, the end, or nothing yet.
#[cfg(feature = "http3")]
fn came(packets: &super::Packets) -> String {
    match packets.poll_came(&Context::from_waker(Waker::noop())) {
        Poll::Pending => "pending".to_owned(),
        Poll::Ready(None) => "end".to_owned(),
        Poll::Ready(Some(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
    }
}

#[cfg(feature = "http3")]
#[test]
fn datagrams_outlive_their_stream_one_way() {
    use regatta_core::engine::h3::DatagramError;
    let packets = super::Packets::new(200, None);
    let one = || Bytes::from_static(b"one");
    assert_eq!(packets.send(one()), Err(DatagramError::Unsupported), "before it is agreed on");
    packets.set_longest(Some(3));
    assert_eq!(packets.send(Bytes::from_static(b"four")), Err(DatagramError::TooLong));
    assert_eq!(packets.send(one()), Ok(()));
    packets.deliver(one());
    packets.deliver(Bytes::from_static(b"two"));
    // Room for two: the oldest is lost, and counted.
    packets.deliver(Bytes::from_static(b"three"));
    assert_eq!(packets.lost(), (0, 1));
    packets.end();
    packets.deliver(one());
    let cx = Context::from_waker(Waker::noop());
    assert!(packets.poll_out(&cx).is_pending(), "what was to be sent has nowhere to go");
    assert_eq!(packets.send(one()), Err(DatagramError::NoStream));
    assert_eq!([came(&packets), came(&packets), came(&packets)], ["two", "three", "end"]);
    assert_eq!(packets.longest(), None);
}

#[cfg(feature = "http3")]
#[test]
fn datagrams_wake_who_waits_for_them() {
    let packets = super::Packets::new(200, Some(10));
    let woken = Arc::new(Told::default());
    let waker = Waker::from(Arc::clone(&woken));
    let cx = Context::from_waker(&waker);
    assert!(packets.poll_came(&cx).is_pending() && packets.poll_out(&cx).is_pending());
    packets.deliver(Bytes::new());
    packets.deliver(Bytes::new());
    assert_eq!(woken.0.load(Ordering::SeqCst), 1, "once for what comes together");
    packets.send(Bytes::new()).unwrap();
    assert_eq!(woken.0.load(Ordering::SeqCst), 2);
    assert!(packets.poll_came(&cx).is_ready() && packets.poll_came(&cx).is_ready());
    assert!(packets.poll_came(&cx).is_pending());
    packets.end();
    assert_eq!(woken.0.load(Ordering::SeqCst), 3, "the end is told");
}
