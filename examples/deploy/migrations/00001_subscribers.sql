-- +goose Up
CREATE TABLE subscribers (address text PRIMARY KEY);

-- +goose Down
DROP TABLE subscribers;
