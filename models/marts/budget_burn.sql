{#- One row for each day on which a project spent something of its budget, and one for today. -#}
with projects as (
  select *, budget_by in ('project', 'task', 'person') as is_in_hours
  from {{ ref('dim_projects') }}
  where budget_by <> 'none'
),

spending as (
  select
    entries.project_id,
    entries.spent_date as day,
    case when projects.is_in_hours then entries.hours else entries.billable_amount end as spent
  from {{ ref('fct_time') }} as entries
  inner join projects on projects.project_id = entries.project_id
  where entries.is_budgeted

  union all

  select expenses.project_id, expenses.spent_date as day, expenses.amount as spent
  from {{ ref('fct_expenses') }} as expenses
  inner join projects on projects.project_id = expenses.project_id
  where projects.budget_includes_expenses and not projects.is_in_hours

  union all

  select project_id, {{ harvest.today() }} as day, 0 as spent
  from projects
  where is_active
),

daily as (
  select
    spending.project_id,
    spending.day,
    case
      when projects.budget_is_monthly then {{ harvest.month_of('spending.day') }}
    end as budget_month,
    sum(spending.spent) as spent
  from spending
  inner join projects on projects.project_id = spending.project_id
  group by spending.project_id, spending.day, projects.budget_is_monthly
),

summed as (
  select
    daily.*,
    sum(daily.spent) over (
      partition by daily.project_id, daily.budget_month
      order by daily.day rows between unbounded preceding and current row
    ) as spent_so_far
  from daily
),

paces as (
  select
    summed.project_id,
    summed.day,
    sum(earlier.spent) as spent_in_28_days,
    {{ harvest.days_between('min(first_days.first_day)', 'summed.day') }} + 1 as days_since_start
  from summed
  inner join daily as earlier
    on earlier.project_id = summed.project_id
    and earlier.day <= summed.day
    and earlier.day > {{ harvest.days_after('summed.day', -28) }}
  inner join (
    select project_id, min(day) as first_day from daily group by project_id
  ) as first_days
    on first_days.project_id = summed.project_id
  group by summed.project_id, summed.day
),

assignment_budgets as (
  select project_id, budget_of, sum(budget) as budget
  from {{ ref('stg_harvest__assignment_budgets') }}
  group by project_id, budget_of
),

versions as (
  select
    summed.project_id,
    summed.day,
    budgets.budget_hours,
    budgets.budget_fees,
    budgets.valid_from <= summed.day as is_of_the_day,
    -- the newest that was valid; before the first that is known, that one
    row_number() over (
      partition by summed.project_id, summed.day
      order by
        case when budgets.valid_from <= summed.day then 0 else 1 end,
        case when budgets.valid_from <= summed.day then budgets.seen_at end desc,
        budgets.seen_at
    ) as place
  from summed
  inner join {{ ref('stg_harvest__project_budgets') }} as budgets
    on budgets.project_id = summed.project_id
),

burned as (
  select
    summed.project_id,
    projects.project_name,
    projects.client_id,
    projects.client_name,
    projects.is_active,
    summed.day,
    projects.budget_by,
    summed.budget_month,
    case when projects.is_in_hours then 'hours' else projects.currency end as unit,
    summed.spent,
    summed.spent_so_far,
    case projects.budget_by
      when 'project' then versions.budget_hours
      when 'project_cost' then versions.budget_fees
      else assignment_budgets.budget
    end as budget,
    coalesce(versions.is_of_the_day, false)
      and projects.budget_by in ('project', 'project_cost') as is_budget_of_the_day,
    {{ harvest.ratio(
      'paces.spent_in_28_days',
      'case when paces.days_since_start < 28 then paces.days_since_start else 28 end'
    ) }} as spent_per_day
  from summed
  inner join projects on projects.project_id = summed.project_id
  inner join paces on paces.project_id = summed.project_id and paces.day = summed.day
  left join versions
    on versions.project_id = summed.project_id
    and versions.day = summed.day
    and versions.place = 1
  left join assignment_budgets
    on assignment_budgets.project_id = summed.project_id
    and assignment_budgets.budget_of
      = case when projects.budget_by = 'person' then 'person' else 'task' end
),

forecast as (
  select
    burned.*,
    budget - spent_so_far as remaining,
    {{ harvest.ratio('spent_so_far', 'budget') }} as share_spent,
    case
      when spent_per_day > 0 and budget > spent_so_far
        then ceiling({{ harvest.ratio('budget - spent_so_far', 'spent_per_day') }})
    end as days_left
  from burned
),

run_out as (
  select
    forecast.*,
    -- in ten years at the earliest is no forecast
    case
      when days_left <= 3650
        then {{ harvest.days_after('day', 'cast(days_left as ' ~ dbt.type_int() ~ ')') }}
    end as runs_out_on
  from forecast
)

select
  project_id,
  project_name,
  client_id,
  client_name,
  is_active,
  day,
  budget_by,
  unit,
  spent,
  spent_so_far,
  budget,
  is_budget_of_the_day,
  remaining,
  share_spent,
  spent_per_day,
  -- a monthly budget starts afresh before it could run out in another month
  case
    when budget_month is null or {{ harvest.month_of('runs_out_on') }} = budget_month
      then runs_out_on
  end as runs_out_on
from run_out
