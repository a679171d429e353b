//! The pipe's rules, one thread.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use std::sync::Arc;
use std::task::Wake;

use bytes::Bytes;
use regatta_core::types::BodyState;

use super::{Frame, Pipe, Received};

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
