package postgres

import (
	"net/url"
	"regexp"
	"strings"
)

// unreadable stands for a DSN in which a password cannot be told from the rest.
const unreadable = "(unreadable DSN)"

const spaces = " \t\n\r\v\f"

var scheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://`)

// Redact returns the DSN without its password, for messages. It knows both forms, URL and keyword/value. Where it
// cannot tell what is the password it leaves out too much rather than too little.
func Redact(dsn string) string {
	dsn = strings.Trim(dsn, spaces)
	if s := scheme.FindString(dsn); s != "" {
		return redactURL(s, dsn[len(s):])
	}
	return redactKeywords(dsn)
}

// redactURL does not use net/url to parse: a password with a raw "/" in it still parses, as something else.
func redactURL(scheme, rest string) string {
	authority, tail := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, tail = rest[:i], rest[i:]
	}
	if strings.Contains(tail, "@") { // the authority may have ended within the password
		return unreadable
	}
	user, hosts := "", authority
	if i := strings.LastIndex(authority, "@"); i >= 0 {
		user, _, _ = strings.Cut(authority[:i], ":")
		user, hosts = user+"@", authority[i+1:]
	} else if !plainHosts(hosts) { // user:password and no host
		return unreadable
	}
	tail, _, _ = strings.Cut(tail, "#")
	path, query, _ := strings.Cut(tail, "?")
	// All of the query goes: a raw "&" in the password makes its rest look like another parameter.
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

// secret holds for password and sslpassword, and for slips such as passwd or pwd, which do not work but are typed.
func secret(key string) bool {
	key = strings.ToLower(key)
	return strings.Contains(key, "pass") || strings.Contains(key, "pwd")
}

// redactKeywords reads as libpq and pgx do, and drops the pairs that are secret.
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
			// A DSN within, or "user= password=secret", which is read as a user of a strange name.
			if strings.Contains(value, "://") || strings.Contains(value, "=") && secret(value) {
				return unreadable
			}
			kept = append(kept, key+"="+value)
		}
		dsn = strings.TrimLeft(after[end:], spaces)
	}
	return strings.Join(kept, " ")
}

// valueEnd returns where the value ends that s begins with: at a space, or, if it is quoted, at the other quote.
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
