package postgres

import (
	"net/url"
	"regexp"
	"strings"
)

// unreadable replaces a DSN whose password cannot be separated from the rest.
const unreadable = "(unreadable DSN)"

const spaces = " \t\n\r\v\f"

var scheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://`)

// Redact returns the DSN without its password, for messages. It knows both forms, URL
// and keyword/value. Where the password is ambiguous, it removes too much rather than
// too little.
func Redact(dsn string) string {
	dsn = strings.Trim(dsn, spaces)
	if s := scheme.FindString(dsn); s != "" {
		return redactURL(s, dsn[len(s):])
	}
	return redactKeywords(dsn)
}

// redactURL does not parse with net/url, which accepts a password with a raw "/" and
// takes it for something else.
func redactURL(scheme, rest string) string {
	authority, tail := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, tail = rest[:i], rest[i:]
	}
	if strings.Contains(tail, "@") { // the authority may end within the password
		return unreadable
	}
	user, hosts := "", authority
	if i := strings.LastIndex(authority, "@"); i >= 0 {
		user, _, _ = strings.Cut(authority[:i], ":")
		user, hosts = user+"@", authority[i+1:]
	} else if !plainHosts(hosts) { // user:password without a host
		return unreadable
	}
	tail, _, _ = strings.Cut(tail, "#")
	path, query, _ := strings.Cut(tail, "?")
	// Remove a query with a secret as a whole: after a raw "&" in the password, its rest
	// looks like another parameter.
	if query != "" && !hasSecret(query) {
		path += "?" + query
	}
	return scheme + user + hosts + path
}

func plainHosts(hosts string) bool {
	for host := range strings.SplitSeq(hosts, ",") {
		if i := strings.LastIndexByte(host, ']'); i >= 0 {
			host = host[i+1:]
		}
		_, port, _ := strings.Cut(host, ":")
		if strings.Trim(port, "0123456789") != "" {
			return false
		}
	}
	return true
}

func hasSecret(query string) bool {
	for pair := range strings.SplitSeq(query, "&") {
		key, _, found := strings.Cut(pair, "=")
		key, err := url.QueryUnescape(key)
		if !found || err != nil || secret(key) {
			return true
		}
	}
	return false
}

// secret reports whether a key is for a password. It includes misspellings such as
// passwd or pwd, which do not work but are typed.
func secret(key string) bool {
	key = strings.ToLower(key)
	return strings.Contains(key, "pass") || strings.Contains(key, "pwd")
}

// redactKeywords reads pairs as libpq and pgx do, and removes the secret ones.
func redactKeywords(dsn string) string {
	var kept []string
	for dsn != "" {
		key, after, found := strings.Cut(dsn, "=")
		key = strings.Trim(key, spaces)
		if !found || key == "" || strings.ContainsAny(key, spaces) {
			return unreadable
		}
		after = strings.TrimLeft(after, spaces)
		end, ok := valueEnd(after)
		if !ok {
			return unreadable
		}
		if value := after[:end]; !secret(key) {
			// The value contains a DSN, or it is "password=secret" after "user=".
			if strings.Contains(value, "://") || strings.Contains(value, "=") && secret(value) {
				return unreadable
			}
			kept = append(kept, key+"="+value)
		}
		dsn = strings.TrimLeft(after[end:], spaces)
	}
	return strings.Join(kept, " ")
}

// valueEnd returns the end of the value at the start of s: a space, or the closing
// quote of a quoted value.
func valueEnd(s string) (end int, ok bool) {
	quoted := strings.HasPrefix(s, "'")
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case quoted && i > 0 && s[i] == '\'':
			return i + 1, true
		case !quoted && strings.IndexByte(spaces, s[i]) >= 0:
			return i, true
		}
	}
	return len(s), !quoted
}
