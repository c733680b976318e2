package settings

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// setting is a setting of a database.
type setting struct {
	name string
	set  []string // by ALTER DATABASE … SET
	kind kind
}

type kind int

const (
	usual   kind = iota
	noPlain      // pgx refuses the mode simple_protocol, and says so
	costly       // for the server: with one mode, and not in a plain run
)

// works reports whether the setting is tried with a mode.
func (s setting) works(mode pgx.QueryExecMode) bool {
	switch s.kind {
	case noPlain:
		return mode != pgx.QueryExecModeSimpleProtocol
	case costly:
		return mode == pgx.QueryExecModeExec
	}
	return true
}

// odd are settings that a program which forgets about them meets somewhere.
var odd = []setting{
	{"none", nil, usual},
	{"German dates", []string{`datestyle TO 'German, DMY'`}, usual},
	{"SQL dates", []string{`datestyle TO 'SQL, DMY'`}, usual},
	{"Postgres dates", []string{`datestyle TO 'Postgres, MDY'`}, usual},
	{"SQL intervals", []string{`intervalstyle TO sql_standard`}, usual},
	{"verbose intervals", []string{`intervalstyle TO postgres_verbose`}, usual},
	{"ISO intervals", []string{`intervalstyle TO iso_8601`}, usual},
	{"a time zone with half hours", []string{`timezone TO 'Asia/Kolkata'`}, usual},
	{"a time zone without a name", []string{`timezone TO '<+0545>-05:45'`}, usual},
	{"a client in Latin 1", []string{`client_encoding TO latin1`}, noPlain},
	{"serializable", []string{`default_transaction_isolation TO serializable`}, usual},
	{"repeatable read", []string{`default_transaction_isolation TO 'repeatable read'`}, usual},
	{"deferrable", []string{`default_transaction_isolation TO serializable`, `default_transaction_deferrable TO on`}, usual},
	{"timeouts", []string{`statement_timeout TO '20s'`, `lock_timeout TO '10s'`, `idle_in_transaction_session_timeout TO '10s'`, `idle_session_timeout TO '10s'`}, usual},
	{"backslashes escape", []string{`standard_conforming_strings TO off`, `escape_string_warning TO off`, `backslash_quote TO off`}, noPlain},
	{"all identifiers are quoted", []string{`quote_all_identifiers TO on`}, usual},
	{"bytes by escapes, floats without digits", []string{`bytea_output TO escape`, `extra_float_digits TO -15`}, usual},
	{"an empty search path", []string{`search_path TO ''`}, usual},
	{"a search path with other tables and functions of the same names", []string{`search_path TO shadow, public`}, usual},
	{"no row security", []string{`row_security TO off`}, usual},
	{"no plan but one", []string{`enable_seqscan TO off`, `enable_indexscan TO off`, `enable_indexonlyscan TO off`, `enable_hashjoin TO off`, `enable_mergejoin TO off`, `enable_sort TO off`, `enable_material TO off`, `jit TO off`}, usual},
	{"generic plans", []string{`plan_cache_mode TO force_generic_plan`}, usual},
	{"custom plans", []string{`plan_cache_mode TO force_custom_plan`}, usual},
	{"JIT for all", []string{`jit TO on`, `jit_above_cost TO 0`}, costly},
	{"parallel", []string{`max_parallel_workers_per_gather TO 2`, `parallel_setup_cost TO 0`, `parallel_tuple_cost TO 0`, `min_parallel_table_scan_size TO 0`}, costly},
	{"another compression, no access method", []string{`default_toast_compression TO pglz`, `default_table_access_method TO heap`, `default_tablespace TO ''`, `temp_tablespaces TO ''`}, usual},
	{"another language", []string{`lc_numeric TO 'C'`, `lc_monetary TO 'C'`, `lc_messages TO 'C'`, `lc_time TO 'C'`}, usual},
	{"no NULL in arrays", []string{`array_nulls TO off`}, usual},
	{"= NULL is NULL", []string{`transform_null_equals TO on`}, usual},
	{"functions are not checked", []string{`check_function_bodies TO off`, `xmloption TO document`}, usual},
	{"a replica's triggers", []string{`session_replication_role TO replica`}, usual},
	{"no waiting for the disk", []string{`synchronous_commit TO off`}, usual},
	{"much is logged", []string{`client_min_messages TO debug1`, `debug_print_plan TO on`, `log_statement TO 'all'`, `plpgsql.variable_conflict TO use_column`, `plpgsql.extra_errors TO 'all'`}, usual},
	{"little memory", []string{`work_mem TO '64kB'`, `temp_buffers TO 100`, `hash_mem_multiplier TO 1`}, usual},
	{"from_collapse_limit 1", []string{`from_collapse_limit TO 1`, `join_collapse_limit TO 1`, `geqo_threshold TO 2`, `constraint_exclusion TO on`, `cursor_tuple_fraction TO 1`}, usual},
}

// together are those of the settings that a plain run can bear, set at once as far as
// they are of different parameters.
func together() (groups []setting) {
	for _, s := range odd {
		if s.kind == costly {
			continue
		}
		at := slices.IndexFunc(groups, func(g setting) bool { return !overlap(g, s) })
		if at < 0 {
			at = len(groups)
			groups = append(groups, setting{name: fmt.Sprintf("together %d", at+1)})
		}
		g := &groups[at]
		g.set, g.kind = append(g.set, s.set...), max(g.kind, s.kind)
	}
	return groups
}

// overlap reports whether two settings are of the same parameter.
func overlap(a, b setting) bool {
	parameter := func(set string) string {
		name, _, _ := strings.Cut(set, " ")
		return name
	}
	return slices.ContainsFunc(a.set, func(set string) bool {
		return slices.ContainsFunc(b.set, func(other string) bool { return parameter(set) == parameter(other) })
	})
}
