//! What a host's own network stack does.

/// The settings of a host's TCP and UDP. The defaults are Linux's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stack {
    /// Whose times hold when SYNs are lost. Default [`Kernel::Linux6_5`].
    pub kernel: Kernel,
    /// Connections that wait to be accepted; a SYN that comes when there are more is dropped.
    /// Default 1,024, what most servers ask for.
    pub backlog: usize,
    /// Bytes of a connection that have come and wait to be read: the receive window. Default 256
    /// KiB; Linux begins at 64 KiB and grows to 6 MiB.
    pub receive_buffer: usize,
    /// Bytes of a connection that were written and wait to be acknowledged. Default 256 KiB;
    /// Linux begins at 16 KiB and grows to 4 MiB.
    pub send_buffer: usize,
    /// Segments that go out before the first acknowledgement (RFC 6928). Default 10.
    pub initial_window: u32,
    /// Bytes of datagrams that have come and wait to be received, beyond which more are lost.
    /// Default 212,992, Linux's `net.core.rmem_default`.
    pub datagram_buffer: usize,
    /// Most datagrams in one transmit (UDP GSO). Default 64, Linux's `UDP_MAX_SEGMENTS` before
    /// 6.9; 1 is a host that has none.
    pub max_segments: usize,
}

/// When a SYN that was not answered goes again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kernel {
    /// Linux 6.5 and later (`tcp_syn_linear_timeouts` 4, `tcp_syn_retries` 6): SYNs go after 1,
    /// 2, 3, 4, 5, 7, 11, 19, 35 and 67 s, and the connection fails after 131 s.
    #[default]
    Linux6_5,
    /// Before it: SYNs go after 1, 3, 7, 15, 31 and 63 s, and the connection fails after 127 s.
    Older,
}

impl Default for Stack {
    fn default() -> Self {
        Self {
            kernel: Kernel::default(),
            backlog: 1_024,
            receive_buffer: 256 << 10,
            send_buffer: 256 << 10,
            initial_window: 10,
            datagram_buffer: 212_992,
            max_segments: 64,
        }
    }
}
