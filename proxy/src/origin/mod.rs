//! `regatta origin`: a server to try clients on.

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use http::Request;
use http::header::DATE;
use regatta_core::engine::quic;
use regatta_core::engine::tls::ServerOptions;
use regatta_core::types::Protocol;
use regatta_tokio::{Body, ConnectionHandle, Tokio};

use self::handlers::{Connection, answer};
use crate::cli::{OriginArgs, TlsSource};
use crate::{qlog, say};

pub(crate) mod date;
pub(crate) mod handlers;
pub(crate) mod httpbin;
pub(crate) mod limits;
pub(crate) mod tls;

/// Serves until Ctrl-C or SIGTERM, then lets what is under way end.
pub(crate) async fn run(args: OriginArgs) -> ExitCode {
    match serve(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            say::err(&format!("regatta: {text}\n"));
            ExitCode::FAILURE
        }
    }
}

async fn serve(args: OriginArgs) -> Result<(), String> {
    // Before anyone knows the port, so that no signal finds the default action.
    let stop = stop_signal().map_err(|error| format!("cannot listen to signals: {error}"))?;
    let mut builder = args.limits.apply(regatta_tokio::server());
    if let Some(options) = identity(&args)? {
        let mut quic = quic::ServerOptions::default();
        quic.early_data = args.early_data;
        builder = builder.tls(options).http3(quic);
        if let Some(sink) = qlog::asked_for(args.qlog.as_deref())? {
            builder = builder.qlog(sink);
        }
    }
    if let Some(advertise) = args.alt_svc {
        builder = builder.alt_svc(advertise);
    }
    if args.plain_too {
        builder = builder.plain_too();
    }
    let server = builder.bind(args.listen).await.map_err(|error| error.to_string())?;
    let address = server.local_address().map_err(|error| error.to_string())?;
    announce(&format!("listening on {address}\n"))?;
    let handle = server.handle();
    let drain = handle.clone();
    tokio::spawn(async move {
        stop.await;
        drain.drain();
    });
    let clock = Tokio::new();
    server.serve(move |request| respond(clock.clone(), request)).await;
    // What was refused, cut or timed out, by name.
    say::err(&handle.counts().to_string());
    Ok(())
}

/// Answers a request of a real connection.
pub(crate) async fn respond(
    clock: Tokio,
    request: Request<Body>,
) -> http::Response<handlers::Reply> {
    let connection = request.body().connection().cloned();
    let mut response = answer(request, &Wire(connection)).await;
    // RFC 9110 6.6.1: an origin with a clock says when it answered.
    response.headers_mut().extend(date::now(&clock).map(|now| (DATE, now)));
    response
}

/// The connection that a request came on.
struct Wire(Option<ConnectionHandle>);

impl Connection for Wire {
    fn drain(&self) {
        if let Some(connection) = &self.0 {
            connection.drain();
        }
    }

    fn limit_streams(&self, streams: u32) -> bool {
        let connection =
            self.0.as_ref().filter(|connection| connection.protocol() != Protocol::Http1);
        if let Some(connection) = connection {
            connection.set_max_concurrent_streams(streams);
        }
        connection.is_some()
    }
}

/// The certificate that `--tls` asks for.
fn identity(args: &OriginArgs) -> Result<Option<ServerOptions>, String> {
    match &args.tls {
        None => Ok(None),
        Some(TlsSource::SelfSigned) => {
            let made = tls::self_signed(&args.tls_name)
                .map_err(|error| format!("cannot make a certificate: {error}"))?;
            if let Some(path) = &args.tls_ca_out {
                write_authority(path, &made.authority)?;
            }
            Ok(Some(made.options))
        }
        Some(TlsSource::Files { .. }) if args.tls_ca_out.is_some() => {
            Err("--tls-ca-out goes with --tls self-signed alone".to_owned())
        }
        Some(TlsSource::Files { certificates, key }) => {
            let read = |path: &Path| {
                fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
            };
            tls::from_pem(&read(certificates)?, &read(key)?).map(Some)
        }
    }
}

fn write_authority(path: &Path, pem: &str) -> Result<(), String> {
    if path.as_os_str() == "-" {
        return announce(pem);
    }
    fs::write(path, pem).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn announce(text: &str) -> Result<(), String> {
    say::out(text).map_err(|error| format!("cannot write to standard output: {error}"))
}

#[cfg(unix)]
fn stop_signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn stop_signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    Ok(async {
        // Without Ctrl-C there is nothing to wait for.
        let _ = tokio::signal::ctrl_c().await;
    })
}
