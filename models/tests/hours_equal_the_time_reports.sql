{#- Harvest's own checksum of a copy: hours of a report are the rounded hours of its entries. Days
    after the last report are not compared. -#}
with reports as (
  select
    period_start,
    period_end,
    sum(total_hours) as hours
  from {{ harvest.harvest_table('time_projects') }}
  where deleted_at is null
  group by period_start, period_end
),

compared as (
  select
    reports.period_start,
    reports.period_end,
    reports.hours as report_hours,
    sum(entries.hours) as entry_hours
  from reports
  left join {{ ref('fct_time') }} as entries
    on entries.spent_date >= reports.period_start
    and entries.spent_date <= reports.period_end
  group by reports.period_start, reports.period_end, reports.hours
)

select *
from compared
where abs(report_hours - coalesce(entry_hours, 0)) >= 0.01
