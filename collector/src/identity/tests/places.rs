//! Tokens for a roll-out to named networks.

use super::*;

fn ranges(ranges: &[&str]) -> TokenSpec {
    let from = ranges.iter().map(|range| range.parse().unwrap()).collect();
    TokenSpec { from, ..spec(TokenKind::Batch, 40) }
}

#[tokio::test]
async fn a_token_for_a_network_lives_for_a_quarter_and_lets_nobody_else_in() {
    let world = World::new();
    let long = TokenSpec { ttl_ms: 90 * DAY_MS, ..ranges(&["10.0.0.0/24", "fd00::/8"]) };
    let token = world.identity.create_token(long, by(), NOW).await.unwrap();
    let (identity, late) = (&world.identity, NOW.plus_ms(89 * DAY_MS));
    let enrols = async |nonce: u8, address: &str| {
        let peer = address.parse().unwrap();
        identity.enrol(EnrolFacts { peer, ..request(&token, nonce, &key()) }, late).await
    };
    for (nonce, address) in [(1, "10.0.0.7"), (2, "fd00::7"), (3, "::ffff:10.0.0.8")] {
        assert!(enrols(nonce, address).await.is_ok(), "{address}");
    }
    for address in ["10.0.1.7", "192.0.2.7", "2001:db8::7"] {
        let refused = enrols(9, address).await.unwrap_err().to_string();
        assert!(refused.contains("10.0.0.0/24, fd00::/8") && refused.contains(address), "{refused}");
    }
    assert_eq!(world.hosts().await, 3);
    let left = &identity.tokens(late).await.unwrap()[0];
    assert_eq!((left.uses_left, left.gives.as_str()), (37, "from=10.0.0.0/24 from=fd00::/8"));
}

#[tokio::test]
async fn what_is_no_limit_gives_no_quarter() {
    let world = World::new();
    let too_long = |spec: TokenSpec| TokenSpec { ttl_ms: 91 * DAY_MS, ..spec };
    for (spec, named) in [
        (too_long(ranges(&["10.0.0.0/8"])), "at most 2160 h"),
        (too_long(spec(TokenKind::Batch, 1)), "at most 168 h"),
        (ranges(&["0.0.0.0/0"]), "0.0.0.0/0 is no limit"),
        (ranges(&["10.0.0.0/24"; 17]), "at most 16 ranges"),
        (
            TokenSpec { kind: TokenKind::Single, ttl_ms: 25 * HOUR_MS, uses: 1, ..ranges(&["10.0.0.0/8"]) },
            "at most 24 h",
        ),
    ] {
        let refused = world.identity.create_token(spec, by(), NOW).await.unwrap_err().to_string();
        assert!(refused.contains(named), "{refused}");
    }
}
