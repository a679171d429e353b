//! Every interleaving of the small protocols that threads share.

use core::task::{Context, Poll, Waker};

use bytes::Bytes;
use loom::future::block_on;
use loom::sync::Arc;
use loom::thread;

use super::{Bell, Frame, Letters, Mailbox, Pipe, Received, Wake};

async fn letters(mailbox: &Mailbox<u32>) -> Letters<u32> {
    let mut into = Letters::new();
    core::future::poll_fn(|cx| mailbox.poll(cx, &mut into)).await;
    into
}

#[test]
fn loom_no_letter_is_lost_and_order_is_kept() {
    loom::model(|| {
        let mailbox = Arc::new(Mailbox::new());
        let sender = Arc::clone(&mailbox);
        let thread = thread::spawn(move || {
            for n in 0..2 {
                if let Ok(Some(waker)) = sender.push(n) {
                    waker.wake();
                }
            }
        });
        let seen = block_on(async {
            let mut seen = Vec::new();
            while seen.len() < 2 {
                seen.extend(letters(&mailbox).await);
            }
            seen
        });
        assert_eq!(seen, [0, 1]);
        thread.join().unwrap();
    });
}

#[test]
fn loom_a_closed_mailbox_gives_every_letter_back_once() {
    loom::model(|| {
        let mailbox = Arc::new(Mailbox::new());
        let sender = Arc::clone(&mailbox);
        let thread = thread::spawn(move || u32::from(sender.push(7).is_err()));
        let left = mailbox.close().len() as u32;
        let returned = thread.join().unwrap();
        assert_eq!(left + returned, 1);
    });
}

#[test]
fn loom_a_raised_flag_is_always_seen() {
    loom::model(|| {
        let wake = Arc::new(Wake::new());
        let raiser = Arc::clone(&wake);
        let thread = thread::spawn(move || raiser.raise());
        block_on(core::future::poll_fn(|cx| wake.poll_raised(cx)));
        thread.join().unwrap();
    });
}

async fn read_all(pipe: &Pipe<()>) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        match core::future::poll_fn(|cx| pipe.poll_read(cx)).await {
            Received::Frame(Frame::Data(bytes)) => all.extend_from_slice(&bytes),
            Received::Frame(_) | Received::Finished | Received::Failed(_) => return all,
        }
    }
}

#[test]
fn loom_bytes_flow_through_a_full_pipe() {
    loom::model(|| {
        let pipe = Arc::new(Pipe::new(1, 0));
        let writer = Arc::clone(&pipe);
        let thread = thread::spawn(move || {
            block_on(async {
                for byte in [b"a", b"b"] {
                    core::future::poll_fn(|cx| writer.poll_room(cx)).await.unwrap();
                    writer.write(Frame::Data(Bytes::from_static(byte)));
                }
                writer.write(Frame::End);
            });
        });
        assert_eq!(block_on(read_all(&pipe)), b"ab");
        thread.join().unwrap();
    });
}

#[test]
fn loom_a_writer_that_waits_hears_that_the_reader_is_gone() {
    loom::model(|| {
        let pipe: Arc<Pipe<()>> = Arc::new(Pipe::new(1, 0));
        pipe.write(Frame::Data(Bytes::from_static(b"x")));
        let writer = Arc::clone(&pipe);
        let thread = thread::spawn(move || {
            block_on(core::future::poll_fn(|cx| writer.poll_room(cx))).is_err()
        });
        pipe.close();
        assert!(thread.join().unwrap());
    });
}

#[test]
fn loom_who_watches_hears_that_the_reader_is_gone_whatever_it_took_before() {
    loom::model(|| {
        let pipe: Arc<Pipe<()>> = Arc::new(Pipe::new(1, 0));
        pipe.write(Frame::Data(Bytes::from_static(b"x")));
        let reader = Arc::clone(&pipe);
        let thread = thread::spawn(move || {
            let waker = Waker::from(std::sync::Arc::new(Nothing));
            let mut cx = Context::from_waker(&waker);
            assert!(matches!(reader.poll_read(&mut cx), Poll::Ready(Received::Frame(_))));
            reader.close();
        });
        // As an upload does whose body has nothing at the moment.
        block_on(core::future::poll_fn(|cx| match pipe.poll_room(cx) {
            Poll::Ready(Ok(())) => pipe.poll_gone(cx),
            Poll::Ready(Err(())) => Poll::Ready(()),
            Poll::Pending => Poll::Pending,
        }));
        thread.join().unwrap();
    });
}

#[test]
fn loom_a_head_that_comes_late_is_read_first() {
    loom::model(|| {
        let pipe: Arc<Pipe<()>> = Arc::new(Pipe::new(8, 0));
        pipe.await_head();
        let tunnel = Arc::clone(&pipe);
        let thread = thread::spawn(move || {
            tunnel.write(Frame::Data(Bytes::from_static(b"a")));
            tunnel.write(Frame::End);
        });
        pipe.write(Frame::Head(Box::default()));
        let first = block_on(core::future::poll_fn(|cx| pipe.poll_read(cx)));
        assert!(matches!(first, Received::Frame(Frame::Head(_))));
        assert_eq!(block_on(read_all(&pipe)), b"a");
        thread.join().unwrap();
    });
}

#[test]
fn loom_a_failure_reaches_a_reader_that_waits() {
    loom::model(|| {
        let pipe: Arc<Pipe<()>> = Arc::new(Pipe::new(1, 0));
        let writer = Arc::clone(&pipe);
        let thread = thread::spawn(move || writer.fail(None));
        let received = block_on(core::future::poll_fn(|cx| pipe.poll_read(cx)));
        assert!(matches!(received, Received::Failed(None)));
        thread.join().unwrap();
    });
}

struct Nothing;

impl std::task::Wake for Nothing {
    fn wake(self: std::sync::Arc<Self>) {}
}

#[test]
fn loom_what_was_taken_is_counted_once() {
    loom::model(|| {
        let pipe: Arc<Pipe<()>> = Arc::new(Pipe::new(4, 0));
        pipe.write(Frame::Data(Bytes::from_static(b"abcd")));
        let reader = Arc::clone(&pipe);
        let waker = || Waker::from(std::sync::Arc::new(Nothing));
        let thread = thread::spawn(move || {
            let waker = waker();
            let mut cx = Context::from_waker(&waker);
            assert!(matches!(reader.poll_read(&mut cx), Poll::Ready(Received::Frame(_))));
        });
        let waker = waker();
        let mut cx = Context::from_waker(&waker);
        let before = pipe.poll_taken(&mut cx);
        thread.join().unwrap();
        let after = pipe.poll_taken(&mut cx);
        assert_eq!(before.unwrap_or(0) + after.unwrap_or(0), 4);
    });
}

#[test]
fn loom_every_frame_is_seen_by_a_task_that_a_bell_calls() {
    loom::model(|| {
        let mailbox = std::sync::Arc::new(Mailbox::new());
        let bell = Bell::new(3, |slot| slot, &mailbox);
        let pipe: Arc<Pipe<()>> = Arc::new(Pipe::new(8, 0));
        let writer = Arc::clone(&pipe);
        let thread = thread::spawn(move || {
            writer.write(Frame::Data(Bytes::from_static(b"a")));
            writer.write(Frame::End);
        });
        let waker = bell.waker();
        let mut seen = 0;
        let look = |seen: &mut u32| {
            let mut cx = Context::from_waker(&waker);
            while let Poll::Ready(Received::Frame(_)) = pipe.poll_read(&mut cx) {
                *seen += 1;
            }
        };
        look(&mut seen);
        block_on(async {
            while seen < 2 {
                assert!(letters(&mailbox).await.iter().all(|slot| *slot == 3));
                bell.heard();
                look(&mut seen);
            }
        });
        thread.join().unwrap();
    });
}
