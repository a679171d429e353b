//! The last frames of responses, held until the hub knows that their streams have ended.
//!
//! A caller that has read a response to its end may ask again at once, on another thread. Were
//! it told first, its request would find the connection still busy and make another.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::error::Error;
use crate::exchange::Exchange;
use crate::mail::{Frame, Pipe};

/// Last frames of the events that are being taken.
#[derive(Debug, Default)]
pub(crate) struct LastFrames {
    held: SmallVec<[(Arc<Exchange>, Frame); 1]>,
}

impl LastFrames {
    /// Holds the frame behind which the response ends.
    pub(crate) fn hold(&mut self, exchange: &Arc<Exchange>, frame: Frame) {
        self.held.push((Arc::clone(exchange), frame));
    }

    /// Gives every frame to its reader.
    pub(crate) fn release(&mut self) {
        if self.held.is_empty() {
            return;
        }
        for (exchange, frame) in self.held.drain(..) {
            write_last(&exchange.down, frame);
        }
    }
}

/// Writes the frame behind which a message ends. False when nobody reads any more.
pub(crate) fn write_last(pipe: &Pipe<Error>, frame: Frame) -> bool {
    match frame {
        Frame::Trailers(_) | Frame::End => pipe.write(frame),
        frame => pipe.write_last(frame),
    }
}
