{#- The days of a project whose last day has passed sum up to its fee. -#}
with spread as (
  select project_id, sum(revenue) as revenue
  from {{ ref('int_harvest__fixed_fee_days') }}
  group by project_id
)

select projects.project_id, projects.fee, spread.revenue
from {{ ref('dim_projects') }} as projects
inner join spread on spread.project_id = projects.project_id
where projects.ends_on <= {{ harvest.today() }}
  and projects.starts_on >= cast('2006-01-01' as date)
  and abs(spread.revenue - case
    when projects.invoiced_amount > projects.fee then projects.invoiced_amount else projects.fee
  end) >= 0.01
