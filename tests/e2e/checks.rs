//! Service checks from `agent.toml` to a page: soft, hard, told once, and well again.

use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};

use muster_tests::http::samples;
use muster_tests::process::{free_port, run};
use muster_tests::{Agent, Collector, Webhook, eventually, never};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::s;

/// A service on a port that can be stopped and started again.
pub(crate) struct Service {
    pub(crate) port: u16,
    tasks: JoinSet<()>,
}

impl Service {
    pub(crate) async fn start() -> Self {
        let mut service = Self { port: free_port(), tasks: JoinSet::new() };
        service.again().await;
        service
    }

    pub(crate) async fn again(&mut self) {
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        let listener = TcpListener::bind(address).await.expect("its port is free again");
        self.tasks.spawn(async move {
            loop {
                drop(listener.accept().await);
            }
        });
    }

    pub(crate) async fn stop(&mut self) {
        self.tasks.shutdown().await;
    }
}

/// A check as the API shows it.
pub(crate) async fn check(collector: &Collector, host: &str, name: &str) -> Option<Value> {
    let host = collector.get(&format!("/api/v1/hosts/{host}")).await.json();
    host["checks"].as_array()?.iter().find(|check| check["name"] == name).cloned()
}

/// Waits until a check has this status, and counts.
pub(crate) async fn check_is(collector: &Collector, host: &str, name: &str, status: &str) -> Value {
    let is = || async {
        check(collector, host, name).await.filter(|check| check["status"] == status && check["hard"] == true)
    };
    eventually(&format!("{name} is {status}"), s(30), is).await
}

/// Attempt and status of every record about a check, in the order in which they were made.
pub(crate) fn told(collector: &Collector, name: &str) -> Vec<(i64, i64)> {
    let records = collector.facts("checks");
    let results = records.iter().flat_map(|record| record["results"].as_array().cloned().unwrap_or_default());
    let of = results.filter(|result| result["check"] == name);
    of.map(|result| (result["status"].as_i64().unwrap_or(-1), result["attempt"].as_i64().unwrap_or(-1))).collect()
}

#[tokio::test]
async fn a_service_that_stops_is_paged_at_its_third_failure_and_resolved_once_over_restarts_of_both() {
    let hook = Webhook::start().await;
    let mut collector = Collector::start(&hook.receiver()).await;
    let mut service = Service::start().await;
    let mut agent = Agent::enrolled(&collector, "fast", None).await;
    agent.configure(&format!(
        "interval = \"1s\"\n[[check]]\nname = \"shop\"\nkind = \"tcp\"\naddress = \"127.0.0.1:{}\"\ninterval = \"2s\"\n\
         timeout = \"2s\"\nattempts = 3\nretry_interval = \"1s\"\n",
        service.port
    ));
    agent.run();
    collector.host_is(&agent.host, "up", s(20)).await;
    check_is(&collector, &agent.host, "shop", "ok").await;

    service.stop().await;
    let opened = hook.wait("incident.opened", s(30)).await;
    assert_eq!(opened.key(), format!("check/{}/shop", agent.host));
    assert_eq!(opened.body["data"]["severity"], "critical");
    assert_eq!(opened.body["data"]["component"], "shop");
    assert_eq!(opened.body["data"]["title"], format!("{}: check shop is critical", agent.name));
    let soft: Vec<(i64, i64)> = told(&collector, "shop").into_iter().filter(|(status, _)| *status == 2).collect();
    assert_eq!(soft, [(2, 1), (2, 2), (2, 3)], "each attempt is told once");
    let page = collector.get(&format!("/hosts/{}/metrics", agent.host)).await.body;
    assert!(page.contains("muster_check_status{check=\"shop\",kind=\"tcp\"} 2"), "{page}");
    let view = collector.get(&format!("/hosts/{}", agent.host)).await.body;
    assert!(view.contains("Connection refused") && view.contains("shop"), "{view}");

    // Neither restart is news: not the agent's, which counts anew, nor the collector's.
    assert_eq!(agent.stop().await, 0, "{}", agent.log());
    agent.run();
    let counted = || async {
        let told = told(&collector, "shop");
        (told.iter().filter(|told| **told == (2, 3)).count() >= 2).then_some(())
    };
    eventually("the agent has counted to three again", s(30), counted).await;
    assert_eq!(collector.stop().await, 0, "{}", collector.log());
    collector.run().await;
    collector.host_is(&agent.host, "up", s(30)).await;
    check_is(&collector, &agent.host, "shop", "critical").await;
    assert_eq!(
        (hook.of("incident.opened").len(), hook.of("incident.resolved").len()),
        (1, 0),
        "{:#?}",
        hook.messages()
    );

    service.again().await;
    let resolved = hook.wait("incident.resolved", s(30)).await;
    assert_eq!(resolved.key(), opened.key());
    never("anything more", s(3), || async { (hook.messages().len() > 2).then(|| hook.messages()) }).await;
    assert_eq!(collector.metric("muster_checks{status=\"ok\"}").await, Some(1.0));

    // A check that is defined no more is no more.
    agent.configure("interval = \"1s\"\n");
    assert_eq!(agent.stop().await, 0, "{}", agent.log());
    agent.run();
    let gone = || async { check(&collector, &agent.host, "shop").await.is_none().then_some(()) };
    eventually("the check is gone", s(30), gone).await;
}

#[tokio::test]
async fn a_service_that_flaps_is_told_once_as_flapping_and_then_not_until_it_is_stable() {
    let hook = Webhook::start().await;
    let collector = Collector::start(&hook.receiver()).await;
    let mut service = Service::start().await;
    let mut agent = Agent::enrolled(&collector, "fast", None).await;
    agent.configure(&format!(
        "interval = \"1s\"\n[[check]]\nname = \"shop\"\nkind = \"tcp\"\naddress = \"127.0.0.1:{}\"\ninterval = \"1s\"\n\
         timeout = \"1s\"\nattempts = 1\nretry_interval = \"1s\"\n",
        service.port
    ));
    agent.run();
    check_is(&collector, &agent.host, "shop", "ok").await;
    for _ in 0..4 {
        service.stop().await;
        check_is(&collector, &agent.host, "shop", "critical").await;
        service.again().await;
        check_is(&collector, &agent.host, "shop", "ok").await;
    }
    let flapping = hook.wait("incident.updated", s(10)).await;
    let title = flapping.body["data"]["title"].as_str().unwrap_or_default();
    assert!(title.ends_with("check shop is critical (flapping: 5 changes in 1 min)"), "{title}");
    // Whatever else is wrong with this machine is another story.
    let of_shop = || hook.messages().into_iter().filter(|message| message.key() == flapping.key()).collect::<Vec<_>>();
    never("a word of the fourth time", s(3), || async { (of_shop().len() > 5).then(of_shop) }).await;
    let told: Vec<String> = of_shop().iter().map(|message| message.kind().to_owned()).collect();
    let twice = ["incident.opened", "incident.resolved", "incident.opened", "incident.resolved"];
    assert_eq!(told, [&twice[..], &["incident.updated"]].concat());

    let number = &flapping.body["data"]["number"];
    let incident = collector.get(&format!("/api/v1/incidents/{number}")).await.json();
    assert_eq!((&incident["state"], &incident["flapping"]["changes"]), (&Value::from("open"), &Value::from(8)));
    assert!(incident["flapping"]["quiet_until"].is_string() && incident["flapping"]["well_since"].is_string());
    let view = collector.get(&format!("/incidents/{number}")).await.body;
    assert!(view.contains("flapping: 8 changes") && view.contains("until it is stable for 18 min"), "{view}");
}

#[tokio::test]
async fn a_wrong_definition_is_refused_with_line_and_key_and_nothing_runs() {
    let agent = Agent::new(None);
    agent.configure(
        "[[check]]\nname = \"a\"\nkind = \"tcp\"\naddress = \"nowhere\"\n[[check]]\nname = \"b\"\nkind = \"plugin\"\n\
         plugin = \"check_x\"\ninterval = \"1 day\"\n[[check]]\nname = \"c\"\nkind = \"ftp\"\n",
    );
    let file = agent.home().join("agent.toml");
    for command in ["check-config", "run"] {
        let said = run(agent.command().arg(command)).await;
        assert_eq!(said.code, 64, "{}", said.all());
        for part in [
            ":5: check.address = \"nowhere\": expected \"host:port\"",
            ":9: check.plugin = \"check_x\": expected a plugin that this host defines",
            ":10: check.interval = \"1 day\": expected a time from",
            ":13: check.kind = \"ftp\": expected \"tcp\", \"http\"",
        ] {
            assert!(said.err.contains(&format!("{}{part}", file.display())), "{part}\n{}", said.all());
        }
        assert_eq!(said.err.lines().count(), 4, "{}", said.all());
    }
}

/// Checks that are run each second, and count at once.
const QUICK: &str = "interval = \"1s\"\ntimeout = \"2s\"\nattempts = 1\n";

#[tokio::test]
async fn a_website_is_judged_by_status_body_and_redirects() {
    use axum::{Router, http::StatusCode, response::Redirect, routing::get};
    let body = Arc::new(Mutex::new((StatusCode::OK, "all is fine here")));
    let answer = Arc::clone(&body);
    let router = Router::new()
        .route("/", get(|| async { Redirect::temporary("/health?deep") }))
        .route("/loop", get(|| async { Redirect::to("/loop") }))
        .route("/health", get(move || async move { *answer.lock().expect("nobody panics with it") }));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("a bound socket has an address").port();
    let mut server = JoinSet::new();
    server.spawn(async move { drop(axum::serve(listener, router).await) });

    let collector = Collector::start("").await;
    let mut agent = Agent::enrolled(&collector, "fast", None).await;
    let url = format!("url = \"http://127.0.0.1:{port}");
    agent.configure(&format!(
        "interval = \"1s\"\n\
         [[check]]\nname = \"site\"\nkind = \"http\"\n{url}\"\nbody_contains = \"is fine\"\n{QUICK}\
         [[check]]\nname = \"health\"\nkind = \"http\"\n{url}/health\"\nstatus = \"503\"\nmethod = \"HEAD\"\n{QUICK}\
         [[check]]\nname = \"unfollowed\"\nkind = \"http\"\n{url}/\"\nredirects = 0\nstatus = \"307\"\n{QUICK}\
         [[check]]\nname = \"circle\"\nkind = \"http\"\n{url}/loop\"\nredirects = 2\n{QUICK}"
    ));
    agent.run();
    let host = agent.host.clone();
    let site = check_is(&collector, &host, "site", "ok").await;
    let shown = site["output"].as_str().unwrap_or_default();
    assert!(shown.starts_with(&format!("http://127.0.0.1:{port}/health?deep answers 200 in ")), "{site}");
    check_is(&collector, &host, "unfollowed", "ok").await;
    let health = check_is(&collector, &host, "health", "critical").await;
    assert!(health["output"].as_str().unwrap_or_default().contains("not the status asked for"), "{health}");
    let circle = check_is(&collector, &host, "circle", "critical").await;
    assert!(circle["output"].as_str().unwrap_or_default().contains("redirected more than 2 times"), "{circle}");

    *body.lock().expect("nobody panics with it") = (StatusCode::OK, "all is lost");
    let site = check_is(&collector, &host, "site", "critical").await;
    assert!(site["output"].as_str().unwrap_or_default().ends_with("without the text asked for"), "{site}");
    *body.lock().expect("nobody panics with it") = (StatusCode::SERVICE_UNAVAILABLE, "all is fine");
    check_is(&collector, &host, "health", "ok").await;
}

/// A TLS server with a certificate for `localhost` that is valid for so many days from now, of an authority of its own.
/// Its port, and the authority's certificate.
fn tls_server(days: u64) -> (u16, String) {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).expect("an authority").pem();
    let issuer = Issuer::from_params(&params, &key);
    let own = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let now_s = muster_agent::clock::now().wall_ms.unsigned_abs() / 1000;
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(1970, 1, 1) + s(now_s + days * 86_400 + 3_600);
    let made = params.signed_by(&own, &issuer).expect("a certificate").der().clone();
    let key = rustls::pki_types::PrivateKeyDer::try_from(own.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring knows TLS 1.3")
        .with_no_client_auth()
        .with_single_cert(vec![made], key);
    let config = Arc::new(config.expect("they belong together"));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("a bound socket has an address").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut session = rustls::ServerConnection::new(Arc::clone(&config)).expect("a session");
            // Whoever only looks at the certificate hangs up.
            while session.complete_io(&mut stream).is_ok() && session.is_handshaking() {}
            let _ = session.writer().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine");
            let _ = session.complete_io(&mut stream);
        }
    });
    (port, authority)
}

#[tokio::test]
async fn a_certificate_near_its_end_is_told_in_days_and_a_stranger_is_not_believed() {
    let (port, authority) = tls_server(20);
    let hook = Webhook::start().await;
    let collector = Collector::start(&format!("{}severity = \"warning\"\n", hook.receiver())).await;
    let mut agent = Agent::enrolled(&collector, "fast", None).await;
    let ca = agent.home().join("ca.pem");
    std::fs::write(&ca, authority).expect("a file in a directory of our own");
    let certificate = format!("kind = \"certificate\"\naddress = \"127.0.0.1:{port}\"\n{QUICK}");
    agent.configure(&format!(
        "interval = \"1s\"\n\
         [[check]]\nname = \"near\"\nserver_name = \"localhost\"\n{certificate}\
         [[check]]\nname = \"far\"\nserver_name = \"localhost\"\nwarning_days = 10\n{certificate}\
         [[check]]\nname = \"wrong name\"\nserver_name = \"shop.example\"\n{certificate}\
         [[check]]\nname = \"known\"\nkind = \"http\"\nurl = \"https://localhost:{port}/\"\nca = \"{}\"\n{QUICK}\
         [[check]]\nname = \"stranger\"\nkind = \"http\"\nurl = \"https://localhost:{port}/\"\n{QUICK}",
        ca.display()
    ));
    agent.run();
    let near = check_is(&collector, &agent.host, "near", "warning").await;
    assert_eq!(near["output"], format!("the certificate of 127.0.0.1:{port} expires in 20 days"));
    check_is(&collector, &agent.host, "far", "ok").await;
    let wrong = check_is(&collector, &agent.host, "wrong name", "critical").await;
    assert!(wrong["output"].as_str().unwrap_or_default().ends_with("is not for shop.example"), "{wrong}");
    let known = check_is(&collector, &agent.host, "known", "ok").await;
    assert!(known["output"].as_str().unwrap_or_default().contains("answers 200"), "{known}");
    check_is(&collector, &agent.host, "stranger", "critical").await;
    let metrics = || async {
        let page = collector.get(&format!("/hosts/{}/metrics", agent.host)).await.body;
        samples(&page).get("muster_check_certificate_expiry_timestamp_seconds{check=\"near\"}").copied()
    };
    let expires_s = eventually("its end is a reading", s(10), metrics).await;
    let days = (expires_s - muster_agent::clock::now().wall_ms as f64 / 1000.0) / 86_400.0;
    assert!((20.0..20.1).contains(&days), "{days}");
    let told = || async { hook.of("incident.opened").into_iter().find(|page| page.key().ends_with("/near")) };
    let page = eventually("it is told", s(20), told).await;
    assert_eq!(page.body["data"]["severity"], "warning");
}

/// Lets the agent run this script as a plugin of this name.
fn plugin(agent: &Agent, name: &str, script: &str) -> String {
    let file = agent.home().join(name);
    std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).expect("a file in a directory of our own");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("our own file");
    let quick = "interval = \"1s\"\ntimeout = \"1s\"\nattempts = 1\n";
    format!(
        "[plugins.{name}]\ncommand = [\"{}\"]\n[[check]]\nname = \"{name}\"\nkind = \"plugin\"\nplugin = \"{name}\"\n{quick}",
        file.display()
    )
}

#[tokio::test]
async fn a_plugin_that_hangs_is_killed_with_its_children_and_hostile_output_is_only_text() {
    let collector = Collector::start("").await;
    let mut agent = Agent::enrolled(&collector, "fast", None).await;
    let pids = agent.home().join("pids");
    let hangs = format!("sleep 1000 & echo $! >> {0}; echo $$ >> {0}; echo waits; wait", pids.display());
    let hostile = "printf '<script>alert(1)</script>\\033[31m & more|\\047<b>\\047=1;2 x=2c\\n'; exit 2";
    let lines = [plugin(&agent, "hangs", &hangs), plugin(&agent, "hostile", hostile)].concat();
    agent.configure(&format!("interval = \"1s\"\n{lines}"));
    agent.run();
    let hung = check_is(&collector, &agent.host, "hangs", "unknown").await;
    assert!(hung["output"].as_str().unwrap_or_default().contains("was killed"), "{hung}");
    let first = std::fs::read_to_string(&pids).unwrap_or_default().lines().take(2).collect::<Vec<_>>().join(" ");
    let dead = || async {
        // Who has no parent any more waits for process 1 to take its exit status.
        let alive = |pid: &str| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            !stat.is_empty() && !stat.contains(") Z ")
        };
        (first.split(' ').count() == 2 && !first.split(' ').any(alive)).then_some(())
    };
    eventually("the plugin and its child are dead", s(10), dead).await;

    check_is(&collector, &agent.host, "hostile", "critical").await;
    let view = collector.get(&format!("/hosts/{}", agent.host)).await.body;
    assert!(!view.contains("<script>alert") && view.contains("alert(1)"), "{view}");
    let metrics = || async {
        let page = samples(&collector.get(&format!("/hosts/{}/metrics", agent.host)).await.body);
        let value = |name: &str| page.get(name).copied();
        let gauge = value("nagios_perfdata_value{check=\"hostile\",label=\"<b>\"}")?;
        Some((gauge, value("nagios_perfdata_value_total{check=\"hostile\",label=\"x\"}")?))
    };
    assert_eq!(eventually("its figures are readings", s(10), metrics).await, (1.0, 2.0));

    // What runs when the agent ends ends with it.
    assert_eq!(agent.stop().await, 0, "{}", agent.log());
    let left = || async {
        let text = std::fs::read_to_string(&pids).unwrap_or_default();
        let alive =
            |pid: &&str| std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
        (text.lines().filter(|pid| alive(pid)).count() == 0).then_some(())
    };
    eventually("nothing of it is left", s(10), left).await;
}

#[tokio::test]
async fn the_stock_plugins_of_debian_run_unchanged_and_their_figures_are_readings() {
    let collector = Collector::start("").await;
    let mut agent = Agent::enrolled(&collector, "fast", None).await;
    let stock = |name: &str, arguments: &str| {
        format!(
            "[plugins.{name}]\ncommand = [\"/usr/lib/nagios/plugins/check_{name}\"]\n[[check]]\nname = \"{name}\"\n\
             kind = \"plugin\"\nplugin = \"{name}\"\narguments = {arguments}\ninterval = \"1s\"\nattempts = 1\n"
        )
    };
    let lines = [
        stock("load", "[\"-w\", \"10000,10000,10000\", \"-c\", \"20000,20000,20000\"]"),
        stock("disk", "[\"-w\", \"1\", \"-c\", \"1\", \"-p\", \"/\"]"),
        stock("procs", "[\"-w\", \"1:100000\"]"),
        stock("dummy", "[\"1\", \"as asked\"]"),
        stock("tcp", "[\"-H\", \"127.0.0.1\", \"-p\", \"1\"]"),
    ];
    agent.configure(&format!("interval = \"1s\"\n{}", lines.concat()));
    agent.run();
    let load = check_is(&collector, &agent.host, "load", "ok").await;
    assert!(load["output"].as_str().unwrap_or_default().contains("load average"), "{load}");
    let dummy = check_is(&collector, &agent.host, "dummy", "warning").await;
    assert_eq!(dummy["output"], "WARNING: as asked");
    check_is(&collector, &agent.host, "tcp", "critical").await;
    let page = || async {
        let page = samples(&collector.get(&format!("/hosts/{}/metrics", agent.host)).await.body);
        let all = ["load1", "load5", "load15"]
            .map(|label| format!("nagios_perfdata_value{{check=\"load\",label=\"{label}\"}}"));
        let used = page.get("nagios_perfdata_value{check=\"disk\",label=\"/\",unit=\"B\"}").copied()?;
        let processes = page.get("nagios_perfdata_value{check=\"procs\",label=\"procs\"}").copied()?;
        all.iter().all(|series| page.contains_key(series)).then_some((used, processes))
    };
    let (used, processes) = eventually("their figures", s(20), page).await;
    let root = rustix::fs::statvfs("/").expect("every machine has a root");
    let size = (root.f_blocks * root.f_frsize) as f64;
    assert!(used > 0.0 && used <= size && processes >= 1.0, "{used} of {size}, {processes}");

    // The same for a person who asks: once and doctor run them all.
    let said = run(agent.command().args(["once"])).await;
    assert!(said.out.contains("muster_check_status{check=\"dummy\",kind=\"plugin\"} 1"), "{}", said.all());
    assert!(said.out.contains("nagios_perfdata_value{check=\"procs\",label=\"procs\"}"), "{}", said.all());
    let said = run(agent.command().args(["doctor"])).await;
    assert!(said.out.contains("check dummy") && said.out.contains("WARNING: WARNING: as asked"), "{}", said.all());
}

/// Answers every question with one address, made by hand after RFC 1035.
async fn name_server(tasks: &mut JoinSet<()>) -> SocketAddr {
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let address = socket.local_addr().expect("a bound socket has an address");
    tasks.spawn(async move {
        let mut question = [0; 512];
        while let Ok((count, from)) = socket.recv_from(&mut question).await {
            let mut answer = question[..count].to_vec();
            answer[2..8].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 1]);
            answer.extend(b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x50");
            let _ = socket.send_to(&answer, from).await;
        }
    });
    address
}

#[tokio::test]
async fn names_files_and_processes_of_the_machine_are_checked_for_real() {
    let mut tasks = JoinSet::new();
    let server = name_server(&mut tasks).await;
    let collector = Collector::start("").await;
    let mut agent = Agent::enrolled(&collector, "fast", None).await;
    let file = agent.home().join("backup");
    std::fs::write(&file, "done").expect("a file in a directory of our own");
    let dns = format!("kind = \"dns\"\nquery = \"www.example\"\nserver = \"{server}\"\n{QUICK}");
    let backup = format!("kind = \"file_age\"\npath = \"{}\"\n{QUICK}", file.display());
    let agents = format!("kind = \"process\"\ncmdline = \"{}\"\n{QUICK}", agent.home().display());
    agent.configure(&format!(
        "interval = \"1s\"\n\
         [[check]]\nname = \"right\"\nexpect = [\"192.0.2.80\"]\n{dns}\
         [[check]]\nname = \"other\"\nexpect = [\"192.0.2.81\"]\n{dns}\
         [[check]]\nname = \"backup\"\ncritical_age = \"1h\"\n{backup}\
         [[check]]\nname = \"agent\"\nprocess = \"muster-agent\"\n{agents}\
         [[check]]\nname = \"too many\"\nmin = 0\nmax = 0\n{agents}\
         [[check]]\nname = \"unit\"\nkind = \"unit\"\nunit = \"no-such-unit-here.service\"\n{QUICK}"
    ));
    agent.run();
    let right = check_is(&collector, &agent.host, "right", "ok").await;
    assert!(right["output"].as_str().unwrap_or_default().contains("www.example A at 127.0.0.1:"), "{right}");
    let other = check_is(&collector, &agent.host, "other", "critical").await;
    assert!(other["output"].as_str().unwrap_or_default().ends_with("192.0.2.80, without 192.0.2.81"), "{other}");
    check_is(&collector, &agent.host, "backup", "ok").await;
    check_is(&collector, &agent.host, "agent", "ok").await;
    check_is(&collector, &agent.host, "too many", "critical").await;
    let unit = || async { check(&collector, &agent.host, "unit").await.filter(|unit| unit["status"] != "ok") };
    eventually("a unit that is not there is not ok", s(20), unit).await;
    std::fs::remove_file(&file).expect("our own file");
    check_is(&collector, &agent.host, "backup", "critical").await;
}
