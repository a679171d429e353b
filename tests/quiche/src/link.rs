//! A client's connection of quiche.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use quiche::h3;

use crate::port::{DATAGRAM, Port};

/// Nothing is waited for longer than this without a look around.
const LOOK: Duration = Duration::from_millis(100);

/// A client's connection and its socket.
pub(crate) struct Link {
    port: Port,
    pub(crate) quic: quiche::Connection,
    pub(crate) http: h3::Connection,
}

/// Settings of either end: the windows and streams that regatta grants by itself.
pub(crate) fn config() -> quiche::Result<quiche::Config> {
    let mut config = quiche::Config::new(quiche::PROTOCOL_VERSION)?;
    config.set_application_protos(h3::APPLICATION_PROTOCOL)?;
    config.set_max_idle_timeout(30_000);
    config.set_max_recv_udp_payload_size(65_527);
    config.set_max_send_udp_payload_size(DATAGRAM);
    config.set_initial_max_data(16 << 20);
    config.set_initial_max_stream_data_bidi_local(1_250_000);
    config.set_initial_max_stream_data_bidi_remote(1_250_000);
    config.set_initial_max_stream_data_uni(1_250_000);
    config.set_initial_max_streams_bidi(256);
    config.set_initial_max_streams_uni(16);
    Ok(config)
}

impl Link {
    /// Connects to a server whose certificate is of this authority, where one is named, and begins
    /// HTTP/3.
    pub(crate) fn open(to: SocketAddr, name: &str, ca: Option<&str>) -> io::Result<Self> {
        let mut port = Port::bind("127.0.0.1:0")?;
        // The port makes it another one each time; nobody has to be unable to guess it here.
        let mut id = [7; 16];
        id[..2].copy_from_slice(&port.local.port().to_be_bytes());
        let id = quiche::ConnectionId::from_ref(&id);
        let mut config = config().map_err(io::Error::other)?;
        config.verify_peer(ca.is_some());
        if let Some(ca) = ca {
            config.load_verify_locations_from_file(ca).map_err(io::Error::other)?;
        }
        let mut quic = quiche::connect(Some(name), &id, port.local, to, &mut config)
            .map_err(io::Error::other)?;
        while !quic.is_established() {
            if quic.is_closed() {
                return Err(io::Error::other(format!("{:?}", quic.local_error())));
            }
            turn(&mut port, &mut quic, true)?;
        }
        let settings = h3::Config::new().map_err(io::Error::other)?;
        let http =
            h3::Connection::with_transport(&mut quic, &settings).map_err(io::Error::other)?;
        Ok(Self { port, quic, http })
    }

    /// Sends what there is, and takes in what comes; `waits` for something to come.
    pub(crate) fn turn(&mut self, waits: bool) -> io::Result<()> {
        turn(&mut self.port, &mut self.quic, waits)
    }
}

fn turn(port: &mut Port, quic: &mut quiche::Connection, waits: bool) -> io::Result<()> {
    port.send(quic)?;
    if waits {
        port.wait(quic.timeout().unwrap_or(LOOK).min(LOOK))?;
    }
    let to = port.local;
    port.receive(|datagram, from| {
        // What is wrong with it shows in the connection's state.
        let _ = quic.recv(datagram, quiche::RecvInfo { from, to });
    })?;
    if quic.timeout().is_some_and(|left| left.is_zero()) {
        quic.on_timeout();
    }
    Ok(())
}
