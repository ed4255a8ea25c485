//! A request whose answer is a stream, on a connection of its own.
//!
//! Whoever waits for the stream drives the connection, and closes it by dropping the stream. A task of the connection's own
//! would have to be woken for each piece, on another thread as likely as not; a pool would give the next request a
//! connection that Dify still holds busy.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Request, Response, Uri};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::pieces::Pieces;
use crate::transport::chain;

/// Most bytes that are read before somebody else has a turn, and of an answer's head.
const READ_AT_ONCE: usize = 64 << 10;

type Connection = http1::Connection<MaybeHttpsStream<TokioIo<TcpStream>>, Pieces>;

/// Sends the request in time; see [`open`].
pub(crate) type Opening = Pin<Box<dyn Future<Output = Result<Response<Stream>, NoAnswer>> + Send>>;

/// A stream of bytes, and the connection that it comes over. Dropping it closes the connection.
pub(crate) struct Stream {
    body: Incoming,
    /// None once it has ended; what was read of the body before is still to be had.
    connection: Option<Pin<Box<Connection>>>,
}

/// A request that has no answer.
#[derive(Debug)]
pub(crate) struct NoAnswer {
    pub(crate) cause: String,
    /// Did a connection come about? If not, nothing was sent.
    pub(crate) connected: bool,
}

impl NoAnswer {
    fn unconnected(error: &dyn std::error::Error) -> Self {
        Self {
            cause: chain(error),
            connected: false,
        }
    }

    fn lost(error: &hyper::Error) -> Self {
        Self {
            cause: chain(error),
            connected: true,
        }
    }
}

/// Connects to the server of `uri`, sends `request` there and waits for the answer's head.
pub(crate) fn open(
    mut connector: HttpsConnector<HttpConnector>,
    uri: Uri,
    mut request: Request<Pieces>,
) -> Opening {
    // RFC 9112, 3.2: the target is the path, the server's name a header. It names no user: a base with one is refused.
    let host = uri.authority().map(|it| HeaderValue::from_str(it.as_str()));
    if let Some(Ok(host)) = host {
        request.headers_mut().insert(HOST, host);
    }
    if let Some(target) = uri.path_and_query() {
        *request.uri_mut() = target.clone().into();
    }
    Box::pin(async move {
        let connected: Result<_, Box<dyn std::error::Error + Send + Sync>> = async {
            poll_fn(|context| connector.poll_ready(context)).await?;
            connector.call(uri).await
        }
        .await;
        let io = connected.map_err(|error| NoAnswer::unconnected(&*error))?;
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(READ_AT_ONCE)
            .handshake(io)
            .await
            .map_err(|error| NoAnswer::unconnected(&error))?;
        let mut connection = Some(Box::pin(connection));
        let mut answer = pin!(sender.send_request(request));
        let answer = poll_fn(|context| {
            // What ends the connection early is told by the answer, or its body.
            drive(&mut connection, context);
            answer.as_mut().poll(context)
        })
        .await;
        let answer = answer.map_err(|error| NoAnswer::lost(&error))?;
        Ok(answer.map(|body| Stream { body, connection }))
    })
}

fn drive(connection: &mut Option<Pin<Box<Connection>>>, context: &mut Context<'_>) {
    if let Some(open) = connection
        && open.as_mut().poll(context).is_ready()
    {
        *connection = None;
    }
}

impl Body for Stream {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        // Asking the body first tells the connection that there is somebody who wants more of it.
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(frame);
        }
        drive(&mut self.connection, context);
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
