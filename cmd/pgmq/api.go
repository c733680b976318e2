package main

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"

	"github.com/pgmq-go/pgmq/schema"
)

func apiCommand(t *target) *cobra.Command {
	api := &cobra.Command{
		Use:   "api",
		Short: "Install and remove the optional SQL APIs",
		Long: `Install and remove the optional SQL APIs over the same queues:

  legacy_names  the names of PGMQ's first releases, in schema public
  pgmq_public   schema pgmq_public, as PostgREST and Supabase's clients call it`,
		Args: noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	api.AddCommand(apiInstall(t), apiRemove(t), apiList(t))
	return api
}

func apiInstall(t *target) *cobra.Command {
	return &cobra.Command{
		Use:   "install NAME",
		Short: "Create the functions of an optional API, or update them",
		Long: `Create the functions of an optional API, all or none; if they exist, update them
and their grants. A function that is not of this API is never replaced.`,
		Example:           `  pgmq api install pgmq_public`,
		Args:              optionalAPI,
		ValidArgsFunction: completeAPIs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withDB(cmd, t, nil, func(db *sql.DB) error {
				if err := schema.Install(cmd.Context(), db, schema.Optional(args[0])); err != nil {
					return ownWords(err)
				}
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "installed %s\n", args[0])
				return err
			})
		},
	}
}

func apiRemove(t *target) *cobra.Command {
	return &cobra.Command{
		Use:               "remove NAME",
		Short:             "Drop the functions of an optional API, and nothing else",
		Example:           `  pgmq api remove legacy_names`,
		Args:              optionalAPI,
		ValidArgsFunction: completeAPIs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withDB(cmd, t, nil, func(db *sql.DB) error {
				there, err := schema.Installed(cmd.Context(), db, schema.Optional(args[0]))
				if err != nil {
					return err
				}
				if err := schema.Uninstall(cmd.Context(), db, schema.Optional(args[0])); err != nil {
					return err
				}
				done := "removed %s\n"
				if !there {
					done = "nothing to do: %s is not installed\n"
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), done, args[0])
				return err
			})
		},
	}
}

func apiList(t *target) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the optional APIs and whether they are installed",
		Example: `  pgmq api list`,
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withDB(cmd, t, nil, func(db *sql.DB) error {
				out := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintln(out, "NAME\tINSTALLED")
				for _, o := range schema.Optionals() {
					there, err := schema.Installed(cmd.Context(), db, o)
					if err != nil {
						return err
					}
					fmt.Fprintf(out, "%s\t%s\n", o, map[bool]string{true: "yes", false: "no"}[there])
				}
				return out.Flush()
			})
		},
	}
}

// optionalAPI checks that the argument is the name of an optional API.
func optionalAPI(cmd *cobra.Command, args []string) error {
	if err := exactly("NAME")(cmd, args); err != nil {
		return err
	}
	if !slices.Contains(schema.Optionals(), schema.Optional(args[0])) {
		return usage(cmd, fmt.Errorf("no API %q, only %s and %s", args[0], schema.LegacyNames, schema.PublicWrappers))
	}
	return nil
}

// completeAPIs completes the names of the APIs.
func completeAPIs(_ *cobra.Command, args []string, _ string) (names []cobra.Completion, _ cobra.ShellCompDirective) {
	if len(args) == 0 {
		for _, api := range schema.Optionals() {
			names = append(names, string(api))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// ownWords returns the message alone of an error that our SQL raised.
func ownWords(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && (pg.Code == "42723" || pg.Code == "55000") {
		return errors.New(pg.Message)
	}
	return err
}
