//! A router at a free port of this machine.

use axum::Router;

/// Serves until the process is killed; says where.
pub(crate) async fn serve(router: Router) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    println!("http://{}", listener.local_addr().expect("it is bound"));
    axum::serve(listener, router).await.expect("it serves until it is killed");
}
