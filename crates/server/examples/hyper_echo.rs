//! The reference for `strongroom bench`: a bare hyper server that answers every request with `{}`.
//!
//! It does what any HTTP server must do and nothing else, so what it costs in the same minute on
//! the same machine says how fast that machine is just then.
//!
//!     cargo run --release --example hyper_echo
//!
//! prints `ready <url>`; point `strongroom bench --endpoint <url>` there, with any workload.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

// The allocator of the server that is compared with it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    std::io::Write::write_all(
        &mut std::io::stdout(),
        format!("ready http://{}\n", listener.local_addr()?).as_bytes(),
    )?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let served = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(answer))
                .await;
            // A client that goes away is the normal end of a connection.
            drop(served);
        });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    // The body is read whole, as any server has to before it can answer.
    drop(request.into_body().collect().await);
    let mut answer = Response::new(Full::new(Bytes::from_static(b"{}")));
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/x-amz-json-1.0"));
    Ok(answer)
}
