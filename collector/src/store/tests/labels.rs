use super::*;
use crate::{
    domain::assets::{Asset, Assets},
    store::migrations::STATE,
};

#[tokio::test]
async fn the_list_of_assets_is_kept_whole_and_replaced_whole() {
    let directory = tempfile::tempdir().unwrap();
    let asset = |host: &str, owner: &str| Asset {
        host: host.into(),
        says: BTreeMap::from([("owner".to_owned(), owner.to_owned())]),
    };
    let store = Store::open(directory.path(), NOW).unwrap();
    store.commit(vec![Row::Assets(vec![asset("web-1", "ann"), asset("web-2", "bob")])]).await.unwrap();
    let last = vec![asset("web-2", "cem"), asset("web-3", "dan")];
    for _ in 0..2 {
        store.commit(vec![Row::Assets(last.clone())]).await.unwrap();
        assert_eq!(store.load().await.unwrap().assets, Assets::new(last.clone()));
    }
    drop(store);
    assert_eq!(Store::open(directory.path(), NOW).unwrap().load().await.unwrap().assets, Assets::new(last));
}

#[tokio::test]
async fn a_store_of_single_sources_gets_layers_that_say_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    let mut connection = Connection::open(&path).unwrap();
    migrate(&mut connection, &path, &STATE[..3], &NoWatcher).unwrap();
    connection
        .execute_batch(
            r#"INSERT INTO host (no, id, name, class, site, watch, labels, sources, admission, facts) VALUES
            (1, '00000000-0000-7000-8000-000000000001', 'web-1', 'workstation', 'ulm', 'fast', '{"owner":"ann","floor":"3"}',
             '{"class":"guess","site":"token","watch":"person","owner":"person","floor":"agent"}', 'active',
             '{"name":"web-1","os":"","os_release":"","kernel":"","architecture":"","chassis":"","agent_version":""}')"#,
        )
        .unwrap();
    drop(connection);
    let mut profile = Store::open(directory.path(), NOW).unwrap().load().await.unwrap().hosts.remove(0);
    let before = profile.clone();
    let said: Vec<String> =
        profile.layers.sources().iter().map(|(name, layer)| format!("{name} {}", layer.word())).collect();
    assert_eq!(said, ["class guess", "floor agent", "owner person", "site token", "watch person"]);
    profile.relabel(profile.layers.clone());
    assert_eq!(profile, before, "nothing looks different for it");
    let kept = |entry: std::io::Result<fs::DirEntry>| {
        entry.unwrap().file_name().to_string_lossy().starts_with("state.db.before-")
    };
    assert!(fs::read_dir(directory.path()).unwrap().any(kept), "the store before is kept");
}
