package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/pgmq-go/pgmq/internal/generate"
)

func generateCommand(t *target) *cobra.Command {
	var file string
	var check, sample bool
	g := &cobra.Command{
		Use:   "generate",
		Short: "Write migrations and Go code for declared queues",
		Long: `Write the migrations and the Go code of the queues that pgmq.yaml declares.

The migrations are for goose, in the application's own directory. All changes
since the last run become one new file; without changes nothing happens. A
change that may cost messages is commented out in it. No database is needed.

With --check nothing is written. When the code or the migrations differ from the
declaration, or with --database-url or DATABASE_URL the database does, it lists
the differences and exits with 1.`,
		Example: `  pgmq generate --init     # a pgmq.yaml to begin with
  pgmq generate
  pgmq generate --check    # in CI`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case check && sample:
				return usage(cmd, errors.New("--check and --init exclude each other"))
			case sample:
				return writeSample(cmd, file)
			}
			plan, err := generate.NewPlan(file, time.Now())
			if err != nil {
				return err
			}
			if check {
				return checkPlan(cmd, t, plan)
			}
			return writePlan(cmd, plan)
		},
	}
	g.Flags().StringVarP(&file, "file", "f", "pgmq.yaml", "the declaration")
	g.Flags().BoolVar(&check, "check", false, "write nothing; fail when something differs")
	g.Flags().BoolVar(&sample, "init", false, "write a declaration to begin with")
	_ = g.MarkFlagFilename("file", "yaml", "yml")
	return g
}

func writeSample(cmd *cobra.Command, file string) error {
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s exists already", file)
	}
	if err := (generate.File{Path: file, Text: []byte(generate.Sample)}).Write(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "wrote %s; declare your queues in it, then run pgmq generate\n", file)
	return err
}

func writePlan(cmd *cobra.Command, plan *generate.Plan) error {
	out := cmd.OutOrStdout()
	for _, file := range []generate.File{plan.Code, plan.Migration} {
		if file.Current {
			continue
		}
		if err := file.Write(); err != nil {
			return err
		}
		fmt.Fprintln(out, "wrote", file.Path)
	}
	if plan.Code.Current && plan.Migration.Current {
		fmt.Fprintln(out, "nothing to do")
	}
	for _, change := range plan.Changes {
		if change.Risky() {
			fmt.Fprintf(out, "commented out in %s, since it may cost messages: %s\n", plan.Migration.Path, change)
		}
	}
	return nil
}

// checkPlan lists the differences from the declaration, and says how to mend them.
func checkPlan(cmd *cobra.Command, t *target, plan *generate.Plan) error {
	out := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	differences, mend := 0, ""
	differ := func(where string, what any) {
		differences++
		fmt.Fprintf(out, "%s\t%v\n", where, what)
	}
	if !plan.Code.Current {
		differ("code", plan.Code.Path+" is not what the declaration makes")
	}
	for _, change := range plan.Changes {
		differ("migrations", change)
	}
	if differences > 0 {
		mend = "run pgmq generate"
	}
	if t.url() != "" {
		err := withPool(cmd, t, func(pool *pgxpool.Pool) error {
			changes, err := generate.Compare(cmd.Context(), pool, plan.Stored())
			for _, change := range changes {
				differ("database", change)
			}
			return err
		})
		if err != nil {
			_ = out.Flush()
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	switch {
	case differences == 0:
		_, err := fmt.Fprintln(cmd.OutOrStdout(), "all is as declared")
		return err
	case mend == "":
		mend = fmt.Sprintf("run goose up on %s, and what is commented out there by hand", plan.Migrations)
	}
	return fmt.Errorf("%d difference(s) from %s: %s", differences, plan.File, mend)
}
