//! The frames of one pipe. Most messages are a head, a piece of a body and an end: so few wait
//! where the pipe lies, and cost no allocation.

use std::collections::VecDeque;

use smallvec::SmallVec;

use super::Frame;

/// So many frames need no allocation.
const FEW: usize = 3;

/// A queue of frames.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// The oldest. So few are moved up sooner than a ring of places is gone through.
    few: SmallVec<[Frame; FEW]>,
    /// What came behind them.
    many: VecDeque<Frame>,
}

impl Frames {
    pub(super) fn len(&self) -> usize {
        self.few.len() + self.many.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.few.is_empty() && self.many.is_empty()
    }

    /// The oldest.
    pub(super) fn front(&self) -> Option<&Frame> {
        self.few.first().or_else(|| self.many.front())
    }

    pub(super) fn push_back(&mut self, frame: Frame) {
        if self.many.is_empty() && self.few.len() < FEW {
            self.few.push(frame);
        } else {
            self.many.push_back(frame);
        }
    }

    /// Adds a head behind the heads that wait, and in front of all else.
    pub(super) fn insert_head(&mut self, head: Frame) {
        if self.is_empty() {
            return self.push_back(head);
        }
        let all = self.all();
        let at = all.iter().take_while(|frame| matches!(frame, Frame::Head(_))).count();
        all.insert(at, head);
    }

    pub(super) fn pop_front(&mut self) -> Option<Frame> {
        if self.few.is_empty() {
            return self.many.pop_front();
        }
        Some(self.few.remove(0))
    }

    /// All of them, for what is done seldom.
    pub(super) fn all(&mut self) -> &mut VecDeque<Frame> {
        while let Some(last) = self.few.pop() {
            self.many.push_front(last);
        }
        &mut self.many
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn frame(number: u8) -> Frame {
        Frame::Data(Bytes::from(vec![number]))
    }

    fn number(frame: Option<&Frame>) -> Option<u8> {
        match frame {
            Some(Frame::Data(bytes)) => bytes.first().copied(),
            _ => None,
        }
    }

    /// Pushes and pops in every pattern of some length, beside a queue that does as it should.
    #[test]
    fn frames_stay_in_order_whether_few_or_many() {
        for pattern in 0..1_u32 << 14 {
            let (mut frames, mut model, mut next) = (Frames::default(), VecDeque::new(), 0);
            for step in 0..14 {
                if pattern >> step & 1 == 0 {
                    frames.push_back(frame(next));
                    model.push_back(next);
                    next += 1;
                } else {
                    assert_eq!(number(frames.pop_front().as_ref()), model.pop_front());
                }
                assert_eq!(number(frames.front()), model.front().copied());
                assert_eq!((frames.len(), frames.is_empty()), (model.len(), model.is_empty()));
                if step == 9 && pattern & 0x3000 == 0 {
                    let all = frames.all().iter().map(|frame| number(Some(frame)));
                    assert!(all.eq(model.iter().map(|number| Some(*number))));
                }
            }
        }
    }
}
