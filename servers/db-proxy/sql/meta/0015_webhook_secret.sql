-- What signs deliveries is sealed, by the key that also seals the small secrets of the console's accounts. Secrets from
-- before are sealed by the first db-proxy that starts; one that was made by an older server meanwhile, by the next.
alter table meta.webhook alter column secret drop not null;
alter table meta.webhook add column sealed_secret bytea;
alter table meta.webhook add check (num_nonnulls(secret, sealed_secret) = 1);
