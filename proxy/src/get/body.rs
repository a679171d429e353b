//! A response's body on its way to where it goes: unpacked, paced, watched.

use http::{HeaderMap, Response};
use http_body_util::BodyExt as _;
use regatta_tokio::Body;

use super::batch::Batch;
use super::decode::Decoder;
use super::exit_code::{Exit, Failure};
use super::output::Sink;
use super::progress::Gauge;
use super::rate::{Least, Pace, Watch};
use super::verbose;
use crate::say;

/// Most bytes of an unwanted body that are read so that its connection can be used again.
const UNWANTED: usize = 64 << 10;

/// Writes the body; how many bytes came, and the trailers.
pub(crate) async fn receive(
    batch: &Batch,
    body: &mut Body,
    decoder: &mut Decoder,
    sink: &mut Sink,
    (came, gauge): (&mut u64, &Gauge),
) -> Result<Option<HeaderMap>, Failure> {
    let way = &batch.args.way;
    let mut pace = Pace::new(way.limit_rate, batch.wire.clock());
    let watch = Least::new(way.speed_limit, way.speed_time);
    let mut watch = watch.map(|least| Watch::new(least, batch.wire.clock()));
    let mut trailers = None;
    loop {
        if let Some(pace) = &mut pace {
            pace.ready().await;
        }
        let frame = match &watch {
            None => body.frame().await,
            Some(slow) => tokio::select! {
                frame = body.frame() => frame,
                () = slow.too_slow() => return Err(too_slow(batch)),
            },
        };
        let data = match frame {
            None => break,
            Some(Err(error)) => return Err(Failure::of(&error)),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => data,
                Err(frame) => {
                    trailers = frame.into_trailers().ok();
                    continue;
                }
            },
        };
        let count = data.len() as u64;
        *came += count;
        gauge.came(count);
        if let Some(pace) = &mut pace {
            pace.passed(count);
        }
        if let Some(watch) = &mut watch {
            watch.passed(count);
        }
        let plain = decoder.push(data).map_err(|error| {
            Failure::new(Exit::BadEncoding, format!("the body cannot be unpacked: {error}"))
        })?;
        sink.write(&plain).await?;
        if batch.args.output.no_buffer {
            sink.flush().await?;
        }
    }
    if let Some(trailers) = trailers.as_ref().filter(|_| batch.args.output.verbose) {
        say::err(&verbose::trailers(trailers));
    }
    Ok(trailers)
}

fn too_slow(batch: &Batch) -> Failure {
    let way = &batch.args.way;
    let (rate, time) = (way.speed_limit.unwrap_or(1), way.speed_time.unwrap_or(30));
    let text = format!("fewer than {rate} bytes a second came for {time} seconds");
    Failure::new(Exit::Timeout, text)
}

/// Reads a short body to its end, so that its connection can be used again; a long one is
/// dropped, and a failure is of no interest.
pub(crate) async fn discard(response: Response<Body>) {
    let mut body = response.into_body();
    let mut read = 0;
    while let Some(Ok(frame)) = body.frame().await {
        read += frame.data_ref().map_or(0, bytes::Bytes::len);
        if read > UNWANTED {
            break;
        }
    }
}
